//! What the program needs on Windows beside its code: an icon, and as much stack for its first thread as elsewhere.

fn main() {
    println!("cargo:rerun-if-changed=packaging/icons/fdgr.ico");
    if std::env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|env| env == "msvc") {
        println!("cargo:rustc-link-arg-bins=/STACK:8388608");
    }
    #[cfg(windows)]
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "windows")
        && let Err(error) = winresource::WindowsResource::new().set_icon("packaging/icons/fdgr.ico").compile()
    {
        println!("cargo:warning=the program gets no icon ({error})");
    }
}
