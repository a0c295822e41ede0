//! What the commands do to sessions, whatever the store.

pub(crate) mod asked_users;
pub(crate) mod audit;
pub(crate) mod cache_keys;
pub(crate) mod command_run;
pub(crate) mod counts;
pub(crate) mod delete_until_gone;
pub(crate) mod deleted_users;
pub(crate) mod describe;
pub(crate) mod distinct;
pub(crate) mod find;
pub(crate) mod keep_data;
pub(crate) mod login_keys_seen;
pub(crate) mod lookup;
pub(crate) mod named_users;
pub(crate) mod pacing;
pub(crate) mod proof;
pub(crate) mod query;
pub(crate) mod read_few;
pub(crate) mod references;
pub(crate) mod removal;
pub(crate) mod schemas;
pub(crate) mod similar_keys;
pub(crate) mod site_users;
pub(crate) mod survey;
pub(crate) mod unfit_ids;
pub(crate) mod user_selectors;
