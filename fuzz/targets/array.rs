#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fdgr_fuzz::array(bytes));
