//! Published command lines by name: parameters as data, with their sources.

use serde::Deserialize;

use crate::error::{Error, Result};

static RECIPES: &str = include_str!("../../assets/recipes.json");

/// A published command line.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedRecipe {
    /// Method, data, degradation and noise.
    pub name: String,
    /// Where it was published.
    pub source: String,
    /// Its flags.
    pub flags: Vec<String>,
}

/// All of them.
pub fn all() -> Vec<NamedRecipe> {
    serde_json::from_str(RECIPES).expect("assets/recipes.json is tested")
}

/// The one of that name.
///
/// # Errors
/// Unknown names.
pub fn find(name: &str) -> Result<NamedRecipe> {
    all().into_iter().find(|recipe| recipe.name == name).ok_or_else(|| Error::Mismatch {
        what: format!("--recipe {name}"),
        fact: "no published command line has that name".into(),
        remedy: "`fdgr experiment --list-recipes` shows them".into(),
    })
}
