//! The tests that need more than this crate: a real database server and real Django sites. `tests/run` sets both up.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "what a test cannot go on without must end it"
)]

mod allauth;
mod asked_project;
mod audit;
mod authority;
mod backfill;
mod backfill_keys;
mod backfill_postgres;
mod blinded;
mod budgets;
mod cache_keys;
mod conflicts;
mod conformance;
mod conninfo;
#[path = "../../crates/django-session/tests/fixture/mod.rs"]
mod corpus;
mod csv_store;
mod damaged_files;
mod deploy;
mod differential;
mod discovery;
mod disk_full;
mod django;
mod django_code;
mod doctor;
mod doctor_indexes;
mod doctor_postgres;
mod doctor_snapshots;
mod doctor_sqlite;
mod doubts;
mod empty_key;
mod encrypted;
mod environment;
mod errors;
mod files;
mod flush_all;
mod generate;
mod help;
mod hostile;
mod hosts;
mod huge_rows;
mod impersonation;
mod keys_alike;
mod list;
mod live;
mod locks;
mod log_format;
mod logout_user;
mod lookup;
mod memory;
mod mysql_conninfo;
mod mysql_faults;
mod mysql_itself;
mod mysql_privileges;
mod mysql_server;
mod mysql_tls;
mod mysql_trust;
mod named;
mod network;
mod one_table;
mod options;
mod pages;
mod pgbouncer;
mod privileges;
mod properties;
mod proxy;
mod purge;
mod purge_faults;
mod purge_postgres;
mod races;
mod random_rows;
mod random_signals;
mod recipes;
mod redis;
mod references;
mod replication;
mod rests;
mod rights;
mod role;
mod running;
mod schemas;
mod secrets;
mod server;
mod signals;
mod site;
mod site_keys;
mod sites;
mod spellings;
mod stats;
mod superuser;
mod superuser_swaps;
mod support;
mod table_flavours;
mod table_kinds;
mod terminal;
mod tls;
mod tls_certificates;
mod trust;
mod trust_python;
mod unfit;
mod user_models;
mod waits;
mod whose;
mod window;
mod without_login;
mod work;
mod world;
mod wrong_table;
mod wrong_users;
