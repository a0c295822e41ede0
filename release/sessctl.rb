# Homebrew: the archives of the release on Linux, a build from its source on macOS.
# release/build formula fills the names in braces.
class Sessctl < Formula
  desc "Log Django users out everywhere, and verify that no session is left"
  homepage "{{REPOSITORY}}"
  version "{{VERSION}}"
  license "MIT"

  on_linux do
    on_intel do
      url "{{REPOSITORY}}/releases/download/v{{VERSION}}/{{FILE_x86_64}}"
      sha256 "{{SHA256_x86_64}}"
    end
    on_arm do
      url "{{REPOSITORY}}/releases/download/v{{VERSION}}/{{FILE_aarch64}}"
      sha256 "{{SHA256_aarch64}}"
    end
  end

  on_macos do
    url "{{REPOSITORY}}/releases/download/v{{VERSION}}/{{FILE_source}}"
    sha256 "{{SHA256_source}}"
    depends_on "rust" => :build
  end

  def install
    if OS.mac?
      system "cargo", "install", *std_cargo_args
      generate_completions_from_executable(bin/"sessctl", "completions")
      system bin/"sessctl", "man", "--output", buildpath/"man"
    else
      bin.install "sessctl"
      bash_completion.install "completions/sessctl.bash" => "sessctl"
      zsh_completion.install "completions/_sessctl"
      fish_completion.install "completions/sessctl.fish"
    end
    man1.install Dir["man/*.1"]
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/sessctl --version")
  end
end
