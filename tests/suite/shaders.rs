//! Every variant of every shader, parsed and validated without an adapter, against the table that launches it.

use std::collections::BTreeSet;
use std::path::Path;

use fdgr::kernel::testing::{Entry, shaders};
use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, ScalarKind, TypeInner};

fn parsed(entry: &Entry) -> Module {
    naga::front::wgsl::parse_str(&entry.wgsl)
        .unwrap_or_else(|e| panic!("{}: {}", entry.variant, e.emit_to_string(&entry.wgsl)))
}

#[test]
fn every_shader_is_valid() {
    for entry in shaders() {
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&parsed(&entry))
            .unwrap_or_else(|e| panic!("{}: {}", entry.variant, e.emit_to_string(&entry.wgsl)));
    }
}

/// Name and binding of the variables of a module in storage buffers, or in uniforms.
fn bindings(module: &Module, is: impl Fn(AddressSpace) -> bool) -> Vec<(u32, String)> {
    let variables = module.global_variables.iter().map(|(_, variable)| variable);
    let bound = variables.filter(|variable| is(variable.space)).map(|variable| {
        let binding = variable.binding.as_ref().expect("a binding");
        assert_eq!(binding.group, 0);
        (binding.binding, variable.name.clone().expect("a name"))
    });
    let mut bound: Vec<_> = bound.collect();
    bound.sort();
    bound
}

#[test]
fn bindings_are_those_of_the_table() {
    for entry in shaders() {
        let module = parsed(&entry);
        let buffers = bindings(&module, |space| matches!(space, AddressSpace::Storage { .. }));
        let expected: Vec<_> = (0u32..).zip(entry.buffers.iter().map(|name| (*name).to_owned())).collect();
        assert_eq!(buffers, expected, "{}", entry.variant);
        let uniforms = bindings(&module, |space| space == AddressSpace::Uniform);
        assert_eq!(uniforms, [(entry.buffers.len() as u32, "parameters".to_owned())], "{}", entry.variant);
    }
}

#[test]
fn uniforms_are_those_of_the_table() {
    for entry in shaders() {
        let module = parsed(&entry);
        let uniform = module.global_variables.iter().find(|(_, variable)| variable.space == AddressSpace::Uniform);
        let (_, uniform) = uniform.unwrap_or_else(|| panic!("{} has no uniform", entry.variant));
        let TypeInner::Struct { members, span } = &module.types[uniform.ty].inner else {
            panic!("the uniform of {} is not a struct", entry.variant);
        };
        let fields: Vec<_> = members
            .iter()
            .map(|member| {
                let kind = match &module.types[member.ty].inner {
                    TypeInner::Scalar(scalar) if scalar.width == 4 && scalar.kind == ScalarKind::Uint => "u32",
                    TypeInner::Scalar(scalar) if scalar.width == 4 && scalar.kind == ScalarKind::Float => "f32",
                    other => panic!("{}: {:?} is {other:?}", entry.variant, member.name),
                };
                (member.name.as_deref().expect("a name"), kind)
            })
            .collect();
        assert_eq!(fields, entry.uniform, "{}", entry.variant);
        let offsets: Vec<_> = members.iter().map(|member| member.offset).collect();
        let packed: Vec<_> = (0u32..).step_by(4).take(members.len()).collect();
        assert_eq!(offsets, packed, "{}", entry.variant);
        assert_eq!(*span as usize, entry.uniform_bytes, "{}", entry.variant);
    }
}

#[test]
fn every_file_is_in_the_table() {
    let named: BTreeSet<_> = shaders().iter().map(|entry| format!("{}.wgsl", entry.name)).collect();
    let files = std::fs::read_dir("shaders").unwrap().map(Result::unwrap).filter(|file| file.path().is_file());
    let files: BTreeSet<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
    assert_eq!(named, files);
}

/// The comment that a shader opens with.
fn contract(entry: &Entry) -> String {
    let path = Path::new("shaders").join(format!("{}.wgsl", entry.name));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines().take_while(|line| line.starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// Identifiers and paths of a text.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    words.map(|word| word.trim_matches(':')).filter(|word| !word.is_empty())
}

#[test]
fn every_shader_opens_with_its_contract() {
    let table = shaders();
    let references: BTreeSet<_> = table.iter().map(|entry| entry.reference).collect();
    for entry in &table {
        let contract = contract(entry);
        let named: BTreeSet<_> = words(&contract).collect();
        let name = entry.name;
        assert!(contract.contains("//   dispatch "), "{name} does not say how it is dispatched");
        // The compiler checks that the paths of the table exist.
        let (_, matched) = contract.split_once("//   matches ").unwrap_or_else(|| panic!("{name} names no reference"));
        assert!(words(matched).any(|word| word == entry.reference), "{name} does not name {}", entry.reference);
        for path in named.iter().filter(|word| word.contains("::")) {
            assert!(references.contains(path), "{name} names {path}, which is no reference of the table");
        }
        for wanted in entry.buffers.iter().chain(&entry.constants) {
            assert!(named.contains(wanted), "{name} does not describe {wanted}");
        }
        let is_constant = |word: &&&str| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        for constant in named.iter().filter(is_constant) {
            assert!(entry.wgsl.contains(&format!("const {constant}: ")), "{name} has no constant {constant}");
        }
    }
}
