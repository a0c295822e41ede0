"""`python -m sessctl`: becomes the program."""

import os
import sys

from ._program import program

path = program()
os.execv(path, [path] + sys.argv[1:])
