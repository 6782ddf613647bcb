//! The worker finds libtorch where it was built against, without LD_LIBRARY_PATH, and has operations of its own for it.

use std::path::Path;

const OPERATIONS: [&str; 3] =
    ["device/deterministic.cpp", "layer/gelu/gelu.cpp", "layer/norm_pool/norm_pool.cpp"];

fn main() {
    for operation in OPERATIONS {
        println!("cargo:rerun-if-changed={operation}");
    }
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
        .files(OPERATIONS)
        .compile("etude_operations");
}
