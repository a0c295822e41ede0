#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sessctl_fuzz::run(data));
