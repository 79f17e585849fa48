//! The 1000 classes of ImageNet (ILSVRC 2012), by number or by name; names as torchvision (BSD-3-Clause) lists them.

use crate::error::{Error, Result, Setting};

static NAMES: &str = include_str!("../../assets/imagenet_classes.txt");

/// Name of a class.
pub fn name(class: usize) -> Option<&'static str> {
    NAMES.lines().nth(class)
}

/// The class of a number, a name, or a part that only one name has.
///
/// # Errors
/// Numbers outside `classes`, and names of none or of several.
pub fn find(text: &str, classes: usize) -> Result<usize> {
    if let Ok(class) = text.trim().parse::<usize>() {
        let fact = format!("the network's classes are numbered from 0 to {}", classes.saturating_sub(1));
        return if class < classes { Ok(class) } else { Err(Error::parameter(Setting::CLASS, text, fact)) };
    }
    let wanted = text.trim().to_lowercase();
    let named = || NAMES.lines().map(str::to_lowercase).enumerate().take(classes);
    if classes != NAMES.lines().count() {
        let fact = "the network's classes have no names here; pass a number";
        return Err(Error::parameter(Setting::CLASS, text, fact));
    }
    if let Some((class, _)) = named().find(|(_, name)| *name == wanted) {
        return Ok(class);
    }
    let partly: Vec<(usize, String)> = named().filter(|(_, name)| name.contains(&wanted)).collect();
    match &partly[..] {
        [(class, _)] => Ok(*class),
        [] => Err(Error::parameter(
            Setting::CLASS,
            text,
            "no class of ImageNet is called so; try a more general word, or a number",
        )),
        several => {
            let names: Vec<String> = several.iter().take(5).map(|(class, name)| format!("{class} {name}")).collect();
            Err(Error::parameter(Setting::CLASS, text, format!("it could be {}", names.join(", "))))
        }
    }
}
