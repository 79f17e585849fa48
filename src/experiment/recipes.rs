//! Published command lines by name: parameters as data, with their sources.

use serde::Deserialize;

use crate::error::{Error, Hint, Listing, Result, Setting, Subject};

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
    all().into_iter().find(|recipe| recipe.name == name).ok_or_else(|| {
        let subject = Subject::given(Setting::RECIPE, name);
        Error::mismatch(subject, "no published command line has that name", Hint::List(Listing::Recipes))
    })
}
