//! Attention on the CPU with an online softmax ("FlashAttention", T. Dao et al., 2022): a thread processes some queries
//! against one block of keys at a time, and rescales its sums if a block has a larger score than those before it.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::elementary::exp;
use super::product::{Block, Buffer, CHUNK, ROWS, product};
use crate::device::arch;

/// Groups of [`ROWS`] queries that are processed against a block of keys while it is in the cache of a thread.
const GROUPS: usize = 16;
/// Keys of a block: a multiple of every [`Block`] and of [`CHUNK`].
const KEYS: usize = 256;

/// Queries, keys and values `[heads, channels, tokens]`.
#[derive(Clone, Copy)]
pub(super) struct Attention<'a> {
    pub query: &'a [f32],
    pub key: &'a [f32],
    pub value: &'a [f32],
    pub channels: usize,
    pub tokens: usize,
}

impl Attention<'_> {
    /// The result `[heads, tokens, channels]`.
    pub fn attend(self) -> Vec<f32> {
        let Self { query, channels, tokens, .. } = self;
        let arch = arch();
        let head = channels * tokens;
        let plan = &Plan { channels, tokens, block: arch.dispatch(Block { outputs: KEYS }) };
        let (mut keys, mut values) = (Buffer::default(), Buffer::default());
        let heads = query.len() / head;
        let keys = keys.at_least(heads * plan.key_blocks() * plan.keys_pitch());
        let values = values.at_least(heads * plan.key_blocks() * plan.values_pitch());
        let of_block = |index: usize| {
            let (head_index, block) = (index / plan.key_blocks(), index % plan.key_blocks());
            let part = head_index * head..(head_index + 1) * head;
            (part, block * KEYS)
        };
        keys.par_chunks_mut(plan.keys_pitch()).enumerate().for_each(|(index, panel)| {
            let (part, first) = of_block(index);
            plan.lay_out_keys(&self.key[part], first, panel);
        });
        values.par_chunks_mut(plan.values_pitch()).enumerate().for_each(|(index, panel)| {
            let (part, first) = of_block(index);
            plan.lay_out_values(&self.value[part], first, panel);
        });
        let (keys, values) = (&*keys, &*values);

        let mut out = vec![0.0; query.len()];
        let all_heads = out.par_chunks_mut(head).zip(query.par_chunks(head)).enumerate();
        let parts = all_heads.flat_map(|(head, (out, query))| {
            let parts = out.par_chunks_mut(GROUPS * ROWS * channels).enumerate();
            parts.map(move |(part, out)| (head, part * GROUPS * ROWS, query, out))
        });
        parts.for_each(|(head, first, query, out)| {
            let [keys, values] = [(keys, plan.keys_pitch()), (values, plan.values_pitch())].map(|(panels, pitch)| {
                let length = plan.key_blocks() * pitch;
                &panels[head * length..][..length]
            });
            arch.dispatch(Part { plan, query, keys, values, first, out });
        });
        out
    }
}

/// Sizes shared by all threads.
struct Plan {
    channels: usize,
    tokens: usize,
    /// Columns of a panel.
    block: usize,
}

impl Plan {
    fn key_blocks(&self) -> usize {
        self.tokens.div_ceil(KEYS)
    }

    /// Length of the sums of scores: the channels, padded to whole chunks.
    fn depth(&self) -> usize {
        self.channels.next_multiple_of(CHUNK)
    }

    /// Elements of the panels of a block of keys, `[KEYS / block, depth, block]`.
    fn keys_pitch(&self) -> usize {
        self.depth() * KEYS
    }

    /// Elements of the panels of a block of values, `[channels / block, KEYS, block]`.
    fn values_pitch(&self) -> usize {
        self.channels.next_multiple_of(self.block) * KEYS
    }

    fn lay_out_keys(&self, key: &[f32], first: usize, panels: &mut [f32]) {
        for (index, panel) in panels.chunks_exact_mut(self.depth() * self.block).enumerate() {
            let first = first + index * self.block;
            let count = self.tokens.saturating_sub(first).min(self.block);
            for (row, key) in panel.chunks_exact_mut(self.block).zip(key.chunks_exact(self.tokens)) {
                if count > 0 {
                    row[..count].copy_from_slice(&key[first..][..count]);
                }
                row[count..].fill(0.0);
            }
            panel[self.channels * self.block..].fill(0.0);
        }
    }

    fn lay_out_values(&self, value: &[f32], first: usize, panels: &mut [f32]) {
        let count = (self.tokens - first).min(KEYS);
        panels.fill(0.0);
        for (channel, value) in value.chunks_exact(self.tokens).enumerate() {
            let panel = &mut panels[channel / self.block * KEYS * self.block..][..KEYS * self.block];
            for (row, &value) in panel.chunks_exact_mut(self.block).zip(&value[first..][..count]) {
                row[channel % self.block] = value;
            }
        }
    }
}

/// Some queries of one head.
struct Part<'a> {
    plan: &'a Plan,
    /// `[channels, tokens]`
    query: &'a [f32],
    keys: &'a [f32],
    values: &'a [f32],
    first: usize,
    /// `[queries, channels]`
    out: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.plan.block / S::F32_LANES {
            1 => self.attend::<S, 1>(simd),
            2 => self.attend::<S, 2>(simd),
            _ => self.attend::<S, 4>(simd),
        }
    }
}

/// State of the online softmax of a group of queries: for each, the largest score so far and the sum of
/// `exp(score - largest)`.
#[derive(Clone, Copy)]
struct Progress {
    largest: [f32; ROWS],
    sums: [f32; ROWS],
}

impl Part<'_> {
    #[inline(always)]
    fn attend<S: Simd, const VECTORS: usize>(self, simd: S) {
        let Self { plan, query, keys, values, first, out } = self;
        let Plan { channels, tokens, block } = *plan;
        let (depth, width) = (plan.depth(), channels.next_multiple_of(block));
        let groups = (out.len() / channels).div_ceil(ROWS);
        // `[groups, depth / CHUNK, ROWS, CHUNK]`, `[KEYS / CHUNK, ROWS, CHUNK]` and
        // `[groups, width / block, ROWS, block]`
        let (mut queries, mut weights, mut totals) = (Buffer::default(), Buffer::default(), Buffer::default());
        let queries = queries.at_least(groups * depth * ROWS);
        lay_out_queries(query, channels, tokens, first, queries);
        let weights = weights.at_least(KEYS * ROWS);
        let totals = totals.at_least(groups * ROWS * width);
        let mut progress = [Progress { largest: [f32::NEG_INFINITY; ROWS], sums: [0.0; ROWS] }; GROUPS];

        let blocks = keys.chunks_exact(plan.keys_pitch()).zip(values.chunks_exact(plan.values_pitch()));
        for (index, (keys, values)) in blocks.enumerate() {
            let count = (tokens - index * KEYS).min(KEYS);
            let of_groups = queries.chunks_exact(depth * ROWS).zip(totals.chunks_exact_mut(ROWS * width));
            for ((queries, totals), progress) in of_groups.zip(&mut progress) {
                let queries = queries.as_chunks::<CHUNK>().0.as_chunks::<ROWS>().0;
                let (scores, _) = S::as_mut_simd_f32s(weights);
                for (panel, keys) in keys.chunks_exact(depth * block).enumerate() {
                    let keys = S::as_simd_f32s(keys).0.as_chunks().0;
                    let products = product::<S, VECTORS>(simd, queries, keys);
                    let vectors = CHUNK / S::F32_LANES;
                    for (row, products) in products.into_iter().enumerate() {
                        for (vector, scores_of_some) in products.into_iter().enumerate() {
                            let at = panel * VECTORS + vector;
                            scores[(at / vectors * ROWS + row) * vectors + at % vectors] = scores_of_some;
                        }
                    }
                }
                let factors = progress.exponentiate(weights, count);
                let weights = weights.as_chunks::<CHUNK>().0.as_chunks::<ROWS>().0;
                let totals = S::as_mut_simd_f32s(totals).0.as_chunks_mut::<VECTORS>().0.as_chunks_mut::<ROWS>().0;
                for (totals, values) in totals.iter_mut().zip(values.chunks_exact(KEYS * block)) {
                    let values = S::as_simd_f32s(values).0.as_chunks().0;
                    let sums = product::<S, VECTORS>(simd, weights, values);
                    for ((totals, sums), factor) in totals.iter_mut().zip(sums).zip(factors) {
                        let factor = simd.splat_f32s(factor);
                        for (total, sum) in totals.iter_mut().zip(sums) {
                            *total = simd.mul_add_f32s(*total, factor, sum);
                        }
                    }
                }
            }
        }

        for (query, out) in out.chunks_exact_mut(channels).enumerate() {
            let sum = progress[query / ROWS].sums[query % ROWS];
            let totals = &totals[query / ROWS * ROWS * width..][..ROWS * width];
            for (panel, out) in out.chunks_mut(block).enumerate() {
                let totals = &totals[(panel * ROWS + query % ROWS) * block..];
                out.iter_mut().zip(totals).for_each(|(out, total)| *out = total / sum);
            }
        }
    }
}

/// Queries `[channels, tokens]` from the first on, divided by the root of the channels, as rows of a product:
/// `[groups, depth / CHUNK, ROWS, CHUNK]`.
#[inline(always)]
fn lay_out_queries(query: &[f32], channels: usize, tokens: usize, first: usize, groups: &mut [f32]) {
    let scale = (channels as f32).sqrt().recip();
    let depth = channels.next_multiple_of(CHUNK);
    groups.fill(0.0);
    for (channel, query) in query.chunks_exact(tokens).enumerate() {
        for (i, value) in query[first..].iter().take(groups.len() / depth).enumerate() {
            let (group, row) = (i / ROWS, i % ROWS);
            groups[group * depth * ROWS + (channel / CHUNK * ROWS + row) * CHUNK + channel % CHUNK] = value * scale;
        }
    }
}

impl Progress {
    /// Replaces the scores of the first `count` keys of a block, `[KEYS / CHUNK, ROWS, CHUNK]`, by weights
    /// `exp(score - largest)`, and the others by negligible ones; returns the factors that rescale earlier sums.
    #[inline(always)]
    fn exponentiate(&mut self, scores: &mut [f32], count: usize) -> [f32; ROWS] {
        let chunks = scores.as_chunks_mut::<CHUNK>().0.as_chunks_mut::<ROWS>().0;
        for (i, chunk) in chunks.iter_mut().enumerate().skip(count / CHUNK) {
            for scores in chunk {
                scores[count.saturating_sub(i * CHUNK).min(CHUNK)..].fill(f32::NEG_INFINITY);
            }
        }
        let mut largest = [[f32::NEG_INFINITY; CHUNK]; ROWS];
        for chunk in &*chunks {
            for (largest, scores) in largest.iter_mut().zip(chunk) {
                largest.iter_mut().zip(scores).for_each(|(largest, score)| *largest = largest.max(*score));
            }
        }
        let before = *self;
        for (own, largest) in self.largest.iter_mut().zip(largest) {
            *own = largest.into_iter().fold(*own, f32::max);
        }
        let mut sums = [[0.0; CHUNK]; ROWS];
        for chunk in chunks {
            for ((scores, sums), largest) in chunk.iter_mut().zip(&mut sums).zip(self.largest) {
                for (score, sum) in scores.iter_mut().zip(sums) {
                    *score = exp(*score - largest);
                    *sum += *score;
                }
            }
        }
        let mut factors = [0.0; ROWS];
        for (row, factor) in factors.iter_mut().enumerate() {
            *factor = exp(before.largest[row] - self.largest[row]);
            self.sums[row] = before.sums[row] * *factor + sums[row].iter().sum::<f32>();
        }
        factors
    }
}
