//! What commands do to sessions, the same for every store: select sessions, scan the table, end the sessions,
//! and prove that none is left. Commands (`cmd`) call this module; it calls `engine` and the traits of
//! `store`.

pub(crate) mod asked_users;
pub(crate) mod audit;
mod cache_entries;
pub(crate) mod cache_keys;
pub(crate) mod command_run;
pub(crate) mod conditions;
pub(crate) mod confirmation;
pub(crate) mod counts;
pub(crate) mod delete_until_gone;
pub(crate) mod deleted_users;
pub(crate) mod describe;
pub(crate) mod distinct;
pub(crate) mod find;
pub(crate) mod keep_data;
pub(crate) mod login_keys_seen;
pub(crate) mod logins;
pub(crate) mod lookup;
pub(crate) mod named_users;
pub(crate) mod newest;
pub(crate) mod other_credentials;
pub(crate) mod own_logins;
pub(crate) mod pacing;
pub(crate) mod proof;
pub(crate) mod query;
pub(crate) mod read_few;
pub(crate) mod record;
pub(crate) mod references;
pub(crate) mod remarks;
pub(crate) mod removal;
pub(crate) mod schemas;
pub(crate) mod selection;
pub(crate) mod similar_keys;
pub(crate) mod site_users;
pub(crate) mod survey;
pub(crate) mod unfit_ids;
pub(crate) mod user_names;
pub(crate) mod user_selectors;
pub(crate) mod users_choice;
