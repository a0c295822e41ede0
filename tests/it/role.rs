//! A role that is no superuser.

use crate::world::{Ran, World};

/// A password that must show nowhere.
pub(crate) const SENTINEL: &str = "sentinel7pass";

/// A role of the world's server, for the time of a test.
pub(crate) struct Role<'w> {
    world: &'w World,
    pub(crate) name: String,
}

impl<'w> Role<'w> {
    pub(crate) fn new(world: &'w World, name: &str) -> Self {
        let name = format!("sessctl_test_{name}");
        world.execute(&format!(
            "DROP ROLE IF EXISTS {name}; CREATE ROLE {name} LOGIN PASSWORD '{SENTINEL}'"
        ));
        Self { world, name }
    }

    pub(crate) fn url(&self) -> String {
        let url = self.world.url();
        format!("postgres://{}:{SENTINEL}@{}", self.name, url.rsplit_once('@').unwrap().1)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let url = self.url();
        self.world.run(&[arguments, &["-d", &url]].concat())
    }
}

impl Drop for Role<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let Self { world, name } = self;
            world.execute(&format!("DROP OWNED BY {name}; DROP ROLE {name}"));
        }
    }
}
