//! Every variant of every shader, parsed and validated without an adapter.

use fdgr::kernel::wgsl::Shader;
use naga::valid::{Capabilities, ValidationFlags, Validator};

#[test]
fn every_shader_is_valid() {
    for shader in Shader::all() {
        let source = shader.wgsl();
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|e| panic!("{shader:?}: {}", e.emit_to_string(&source)));
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{shader:?}: {}", e.emit_to_string(&source)));
    }
}

#[test]
fn every_shader_opens_with_its_contract() {
    for entry in std::fs::read_dir("shaders").unwrap().map(Result::unwrap).filter(|e| e.path().is_file()) {
        let text = std::fs::read_to_string(entry.path()).unwrap();
        let contract: String = text.lines().take_while(|line| line.starts_with("//")).collect();
        for word in ["dispatch", "matches"] {
            assert!(contract.contains(word), "{}: its contract names no {word}", entry.path().display());
        }
    }
}
