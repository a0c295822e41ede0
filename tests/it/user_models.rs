//! What a project says of its users: where they are, and of what type the key of their model is.

use crate::site::Site;

/// Where the users are elsewhere, the project still says what their ids are.
#[test]
fn ids_of_users_in_another_database_are_judged_by_the_type_of_their_key() {
    let sites = [Site::sqlite, Site::postgres].map(|new| new("elsewhere", "5.2", &[]));
    for site in sites {
        let site = site.project(
            "",
            "
INSTALLED_APPS += ['people']
AUTH_USER_MODEL = 'people.' + open(os.path.join(os.path.dirname(__file__), 'people', 'model')).read()
DATABASES['users'] = {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'users.sqlite3'}
class Router:
    def db_for_write(self, model, **hints): return 'users' if model._meta.app_label == 'people' else None
    db_for_read = db_for_write
DATABASE_ROUTERS = [Router()]",
        );
        let folder = site.file("empty", "");
        std::fs::create_dir(folder.replace("empty", "people")).unwrap();
        site.file("people/__init__.py", "");
        site.file(
            "people/fields.py",
            "from django.db.models import CharField\nclass Odd(CharField): pass\n",
        );
        site.file("people/models.py", PEOPLE);
        for (model, sessions, given, code, says) in [
            ("Text", ["Anna", "bob"], "carl", 0, "0 sessions deleted"),
            ("Text", ["Anna", "bob"], "anna", 3, "1 session stayed whose id is spelled otherwise"),
            ("Odd", ["Anna", "bob"], "carl", 3, "no live session names \"carl\""),
            ("Number", ["7", "usr_G4"], "anna", 2, "the project's user model holds numbers"),
            ("Number", ["7", "usr_G4"], "8", 3, "(\"usr_G4\")"),
            ("Child", ["7", "8"], "anna", 2, "the project's user model holds numbers"),
            ("Uuid", ["8", "9"], "7", 2, "the project's user model holds UUIDs"),
        ] {
            site.file("people/model", model);
            site.python(&format!(
                "Session.objects.all().delete()
for user in {sessions:?}:
    session = engine.SessionStore()
    session['_auth_user_id'] = user
    session.save()"
            ));
            site.run(&["logout-user", given]).exits(code).says(says);
            assert_eq!(site.keys().len(), 2, "{model}");
            let listed = site.run(&["list", "--user", given, "--format", "count"]);
            listed.exits(if code == 0 { 0 } else { 3 }).says("0\n");
        }
    }
}

/// User models whose keys are of these kinds.
const PEOPLE: &str = "
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models
from .fields import Odd as OddField

class Base(AbstractBaseUser):
    username = models.CharField(max_length=150, unique=True)
    USERNAME_FIELD = 'username'
    class Meta: abstract = True
class Text(Base): id = models.CharField(max_length=40, primary_key=True)
class Odd(Base): id = OddField(max_length=40, primary_key=True)
class Number(Base): id = models.PositiveBigIntegerField(primary_key=True)
class Child(Number): pass
class Uuid(Base): id = models.UUIDField(primary_key=True)
";

/// Django 5.2 and later write such a key into a session as a list.
#[test]
fn users_with_a_primary_key_of_several_columns_are_named_by_their_ids() {
    for new in [Site::sqlite, Site::postgres] {
        let site = new("several_columns", "5.2", &[])
            .project("", "INSTALLED_APPS += ['people']; AUTH_USER_MODEL = 'people.User'");
        let folder = site.file("empty", "");
        std::fs::create_dir(folder.replace("empty", "people")).unwrap();
        site.file("people/__init__.py", "");
        site.file("people/models.py", COMPOSITE);
        let login = || {
            site.python(
                "for number in (1, 2):
    session = engine.SessionStore()
    session['_auth_user_id'] = User._meta.pk.value_to_string(User(tenant=1, number=number))
    session.save()",
            )
        };
        login();
        for command in [&["list"][..], &["doctor"], &["flush-all", "--yes"]] {
            site.run(command).ok();
        }
        assert!(site.keys().is_empty());
        login();
        site.run(&["logout-user", "--username", "anna"]).exits(2).says("of several columns");
        site.run(&["logout-user", r#"["1", "2"]"#]).ok().says("1 session deleted, none is left");
        assert_eq!(site.keys().len(), 1);
    }
}

const COMPOSITE: &str = "
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models

class User(AbstractBaseUser):
    pk = models.CompositePrimaryKey('tenant', 'number')
    tenant = models.IntegerField()
    number = models.IntegerField()
    username = models.CharField(max_length=150, unique=True)
    USERNAME_FIELD = 'username'
";

/// The project names the table, and it may be that of a copy which is out of date.
#[test]
fn a_project_whose_users_are_all_gone_is_not_believed() {
    Site::each("all_gone", "5.2", &[], |site| {
        let anna = &site.login(&["anna"])[0];
        site.python(
            "User.objects.filter(username='anna').delete(); User.objects.create(username='bert')",
        );
        for more in [&[][..], &["--yes"], &["--dry-run"]] {
            site.run(&[&["logout-user", "--deleted-users"], more].concat())
                .exits(2)
                .says("has none of them")
                .says(&format!("if they were deleted, name them by their ids: \"{}\"", anna.0));
        }
        assert_eq!(site.keys().len(), 1);
        site.run(&["logout-user", &anna.0]).ok().says("1 session deleted, none is left");
        // One who is there is enough to ask the operator.
        site.login(&["bert"]);
        site.python(
            "for name in ('carl', 'dora'): login(name); User.objects.get(username=name).delete()",
        );
        site.run(&["logout-user", "--deleted-users"]).exits(4);
        site.run(&["logout-user", "--deleted-users", "--yes"]).ok().says("2 sessions deleted");
    });
}

/// A key field of the site's own may write another id into sessions than the table has: who is meant is not known.
#[test]
fn a_key_that_is_converted_on_its_way_into_sessions_names_nobody() {
    let site = Site::sqlite("converted", "5.2", &[])
        .project("", "INSTALLED_APPS += ['people']; AUTH_USER_MODEL = 'people.User'");
    let folder = site.file("empty", "");
    std::fs::create_dir(folder.replace("empty", "people")).unwrap();
    site.file("people/__init__.py", "");
    for (conversion, base, keys) in [
        ("def from_db_value(self, value, *_): return value.upper()", "Char", "max_length=40, "),
        (
            "def value_to_string(self, user): return str(self.value_from_object(user) + 7)",
            "Integer",
            "",
        ),
        (
            "def to_python(self, value): return value if len(value) == 4 and value.islower() else 1 / 0",
            "Char",
            "max_length=40, ",
        ),
    ] {
        site.file(
            "people/models.py",
            &format!(
                "from django.contrib.auth.models import AbstractUser
from django.db import models
class Key(models.{base}Field):
    {conversion}
class User(AbstractUser): id = Key({keys}primary_key=True)"
            ),
        );
        site.python(&format!("{NEW_TABLE}; Session.objects.all().delete()"));
        site.login_of("4207");
        for option in [&["--username", "anna"][..], &["--inactive"], &["--deleted-users"]] {
            let ran = site.run(&[&["logout-user"], option].concat());
            ran.exits(2).says("is of type Key").says("--unfit-ids");
        }
        site.run(&["logout-user", "4208"]).exits(3).says("of type Key");
        assert_eq!(site.keys().len(), 1);
        site.run(&["logout-user", "4207", "--unfit-ids"]).ok().says("1 session deleted");
    }
    // Conversions that leave the id as it is are no doubt.
    site.file(
        "people/models.py",
        "from django.contrib.auth.models import AbstractUser
from django.db import models
class Key(models.CharField):
    def from_db_value(self, value, *_): return str(value)
    def to_python(self, value): return value.strip()
class User(AbstractUser): id = Key(max_length=40, primary_key=True)",
    );
    site.python(&format!("{NEW_TABLE}; User.objects.create(pk='abcd', username='anna')"));
    site.login_of("abcd");
    site.run(&["logout-user", "--username", "anna"]).ok().says("1 session deleted");
}

/// Makes the table of users anew.
const NEW_TABLE: &str = "
from django.db import connection
with connection.schema_editor() as editor:
    tables = 'people_user_groups', 'people_user_user_permissions', 'people_user'
    for table in tables: editor.execute('DROP TABLE IF EXISTS ' + table)
    editor.create_model(User)
_ = None";
