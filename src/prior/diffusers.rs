//! DDPM UNets in the folder form of the diffusers library: `config.json` beside `diffusion_pytorch_model.safetensors` or
//! `.bin`, with other names for the same tensors.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::Checkpoint;

const WEIGHTS: [&str; 2] = ["diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin"];

/// Whether the tensors of a checkpoint have diffusers' names.
pub(super) fn is_diffusers(checkpoint: &Checkpoint) -> bool {
    checkpoint.contains("down_blocks.0.resnets.0.conv1.weight")
}

/// The weights of a folder.
///
/// # Errors
/// Folders without weights.
pub(super) fn weights_file(folder: &Path) -> Result<PathBuf> {
    let folder = if folder.join("unet").is_dir() { folder.join("unet") } else { folder.to_owned() };
    let found = WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let fact = format!("there is neither {} nor {} in it", WEIGHTS[0], WEIGHTS[1]);
        Error::checkpoint(&folder, fact, "pass a folder of the diffusers library, or the checkpoint file itself")
    })
}

/// Refuses weights whose configuration beside them is that of another network.
///
/// # Errors
/// That configuration.
pub(super) fn check_beside(weights: &Path) -> Result<()> {
    Config::check(&weights.with_file_name("config.json"))
}

/// The settings that change the arithmetic; shapes tell the rest.
#[derive(Deserialize)]
struct Config {
    #[serde(rename = "_class_name", default)]
    class_name: Option<String>,
    #[serde(default)]
    time_embedding_type: Option<String>,
    #[serde(default)]
    freq_shift: Option<f64>,
    #[serde(default)]
    flip_sin_to_cos: Option<bool>,
    #[serde(default)]
    center_input_sample: Option<bool>,
    #[serde(default)]
    downsample_padding: Option<f64>,
    #[serde(default)]
    act_fn: Option<String>,
    #[serde(default)]
    attention_head_dim: Option<f64>,
    #[serde(default)]
    norm_num_groups: Option<f64>,
    #[serde(default)]
    norm_eps: Option<f64>,
    #[serde(default)]
    mid_block_scale_factor: Option<f64>,
}

impl Config {
    /// Refuses settings that the DDPM UNet does not have; a folder without a configuration passes.
    fn check(path: &Path) -> Result<()> {
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(()) };
        let refuse =
            |fact: String| Error::checkpoint(path, fact, "only UNet2DModel as in google/ddpm-celebahq-256 is read");
        let config: Self =
            serde_json::from_str(&text).map_err(|e| refuse(format!("it is not a configuration ({e})")))?;
        // f32 and f64 forms of 1e-6 differ in the last digits.
        let number =
            |value: Option<f64>, expected: f64| value.is_none_or(|v| (v - expected).abs() <= 1e-6 * expected.abs());
        let text = |value: &Option<String>, expected: &[&str]| value.as_deref().is_none_or(|v| expected.contains(&v));
        let settings = [
            ("_class_name", text(&config.class_name, &["UNet2DModel"])),
            ("time_embedding_type", text(&config.time_embedding_type, &["positional"])),
            ("freq_shift", number(config.freq_shift, 1.0)),
            ("flip_sin_to_cos", config.flip_sin_to_cos != Some(true)),
            ("center_input_sample", config.center_input_sample != Some(true)),
            ("downsample_padding", number(config.downsample_padding, 0.0)),
            ("act_fn", text(&config.act_fn, &["silu", "swish"])),
            ("attention_head_dim", config.attention_head_dim.is_none()),
            ("norm_num_groups", number(config.norm_num_groups, 32.0)),
            ("norm_eps", number(config.norm_eps, 1e-6)),
            ("mid_block_scale_factor", number(config.mid_block_scale_factor, 1.0)),
        ];
        match settings.iter().find(|(_, agrees)| !agrees) {
            Some((name, _)) => Err(refuse(format!("its {name} is not that of a DDPM UNet"))),
            None => Ok(()),
        }
    }
}

/// The checkpoint under the original DDPM names.
pub(super) fn as_ddpm(checkpoint: Checkpoint) -> Checkpoint {
    let level = |name: &str| name.strip_prefix("down_blocks.").and_then(|n| n.split('.').next()?.parse::<usize>().ok());
    let levels = checkpoint.names().filter_map(level).max().map_or(1, |last| last + 1);
    checkpoint.renamed(|name| Some(ddpm_name(name, levels).unwrap_or_else(|| name.to_owned())))
}

/// The original name of a tensor; the two count the levels of the way up from opposite ends.
fn ddpm_name(name: &str, levels: usize) -> Option<String> {
    let parts: Vec<&str> = name.split('.').collect();
    let index = |i: usize| parts.get(i)?.parse::<usize>().ok();
    let level = |i: usize| levels.checked_sub(i + 1);
    Some(match parts[0] {
        "time_embedding" => {
            let place = match parts[1] {
                "linear_1" => 0,
                "linear_2" => 1,
                _ => return None,
            };
            format!("temb.dense.{place}.{}", parts[2])
        }
        "conv_norm_out" => format!("norm_out.{}", parts[1]),
        "down_blocks" => layer(&parts[2..], format!("down.{}", index(1)?), index(3)?)?,
        "up_blocks" => layer(&parts[2..], format!("up.{}", level(index(1)?)?), index(3)?)?,
        "mid_block" if parts[1] == "resnets" => {
            format!("mid.block_{}.{}", index(2)? + 1, residual_part(&parts[3..])?)
        }
        "mid_block" if parts[1] == "attentions" => format!("mid.attn_1.{}", attention_part(&parts[3..])?),
        _ => return None,
    })
}

/// `resnets.J.PART`, `attentions.J.PART` or a change of resolution, within a level.
fn layer(parts: &[&str], level: String, j: usize) -> Option<String> {
    Some(match parts[0] {
        "resnets" => format!("{level}.block.{j}.{}", residual_part(&parts[2..])?),
        "attentions" => format!("{level}.attn.{j}.{}", attention_part(&parts[2..])?),
        "downsamplers" => format!("{level}.downsample.{}", parts[2..].join(".")),
        "upsamplers" => format!("{level}.upsample.{}", parts[2..].join(".")),
        _ => return None,
    })
}

fn residual_part(parts: &[&str]) -> Option<String> {
    let own = match *parts.first()? {
        "time_emb_proj" => "temb_proj",
        "conv_shortcut" => "nin_shortcut",
        same => same,
    };
    Some(format!("{own}.{}", parts.get(1)?))
}

/// Both namings that diffusers has used.
fn attention_part(parts: &[&str]) -> Option<String> {
    let own = match *parts.first()? {
        "group_norm" => "norm",
        "query" | "to_q" => "q",
        "key" | "to_k" => "k",
        "value" | "to_v" => "v",
        "proj_attn" | "to_out" => "proj_out",
        _ => return None,
    };
    Some(format!("{own}.{}", parts.last()?))
}
