//! The weights in what a checkpoint holds, whatever trainers wrap them in.

use std::collections::HashSet;

use super::machine::{Machine, Value};
use super::{Pickled, Result};

/// How many lists and dictionaries the weights may lie in.
const DEPTH: usize = 3;

impl Machine<'_> {
    /// The weights in what a pickle built.
    pub fn state_dict(&self, root: &Value) -> Result<Pickled> {
        let found = self.find_state_dict(root, DEPTH, &mut HashSet::new());
        found.ok_or_else(|| "it holds no dictionary of tensors".into())
    }

    /// The tensors of the dictionary `value`, or of the best one inside it: exponential moving averages first, unless others
    /// have more tensors. Of a list, the last large dictionary counts, because that is where trainers append the averages.
    /// What was `seen` without success at a depth is not looked at again, however often it is referred to.
    fn find_state_dict(&self, value: &Value, depth: usize, seen: &mut HashSet<(usize, usize)>) -> Option<Pickled> {
        const WRAPPERS: [&str; 9] = [
            "ema",
            "ema_state_dict",
            "state_dict_ema",
            "model_ema",
            "ema_model",
            "state_dict",
            "model",
            "module",
            "net",
        ];
        let (Value::Dictionary(place) | Value::Sequence(place)) = value else { return None };
        if !seen.insert((*place, depth)) {
            return None;
        }
        let items = &self.arena[*place];
        if let Value::Sequence(_) = value {
            if depth == 0 {
                return None;
            }
            let found: Vec<(usize, Pickled)> =
                (0..items.len()).filter_map(|i| Some((i, self.find_state_dict(&items[i], depth - 1, seen)?))).collect();
            let most = found.iter().map(|(_, pickled)| pickled.tensors.len()).max()?;
            let (i, last) = found.into_iter().rev().find(|(_, pickled)| 2 * pickled.tensors.len() >= most)?;
            let averaged = if i == 0 { "" } else { ", where trainers keep exponential moving averages" };
            return Some(last.within(format!("entry {} of its list of {}{averaged}", i + 1, items.len())));
        }
        let pairs = items.chunks_exact(2);
        let tensors: Vec<_> = pairs
            .clone()
            .filter_map(|pair| match pair {
                [Value::Text(name), Value::Tensor(tensor)] => Some((name.clone(), tensor.clone())),
                _ => None,
            })
            .collect();
        // A tensor or two may stand beside the weights, such as a loss.
        let inner = WRAPPERS.iter().filter(|_| depth > 0).find_map(|wanted| {
            let inner = pairs.clone().find(|pair| matches!(&pair[0], Value::Text(name) if **name == **wanted))?;
            let found = self.find_state_dict(&inner[1], depth - 1, seen)?;
            let averaged = if wanted.contains("ema") { ", exponential moving averages" } else { "" };
            (found.tensors.len() > tensors.len())
                .then(|| found.within(format!("the entry \"{wanted}\" of its dictionary{averaged}")))
        });
        inner.or_else(|| (!tensors.is_empty()).then_some(Pickled { tensors, origin: None }))
    }
}

impl Pickled {
    fn within(self, place: String) -> Self {
        let origin = match self.origin {
            Some(inner) => format!("{inner}, in {place}"),
            None => place,
        };
        Self { origin: Some(origin), ..self }
    }
}
