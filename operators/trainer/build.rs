//! The worker finds libtorch where it was built against, without LD_LIBRARY_PATH, and has an operation of its own for it.

use std::path::Path;

const OPERATION: &str = "layer/norm_pool/norm_pool.cpp";

fn main() {
    println!("cargo:rerun-if-changed={OPERATION}");
    // torch-sys says where it has found libtorch; its headers lie beside.
    let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") else { return };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{folder}");
    let include = Path::new(&folder).with_file_name("include");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .warnings(false)
        .flag_if_supported("-Wno-psabi")
        .opt_level(3)
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .include(include.join("torch/csrc/api/include"))
        .include(include)
        .file(OPERATION)
        .compile("etude_norm_pool");
}
