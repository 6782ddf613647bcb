use burn::module::Module;
use tch::Tensor;

use crate::layer::{LayerNorm, Linear, attention, beside, gelu};
use crate::pass::{Pass, f32};
use crate::scope::Scope;

/// A block of a transformer: attention and a perceptron, each behind its norm and beside a shortcut.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    qkv: Linear,
    out: Linear,
    norm2: LayerNorm,
    linear1: Linear,
    linear2: Linear,
    heads: usize,
    dropout: f64,
}

/// The sizes of a block, by their names in YAML.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub dim: usize,
    pub heads: usize,
    pub head_dim: usize,
    pub mlp: usize,
    pub dropout: f64,
}

impl Block {
    pub fn new(scope: &Scope, Sizes { dim, heads, head_dim, mlp, dropout }: Sizes) -> Self {
        let inner = heads * head_dim;
        Self {
            norm1: LayerNorm::new(&scope.at("norm1"), dim),
            qkv: Linear::new(&scope.at("qkv"), dim, 3 * inner, false),
            out: Linear::new(&scope.at("out"), inner, dim, false),
            norm2: LayerNorm::new(&scope.at("norm2"), dim),
            linear1: Linear::new(&scope.at("linear1"), dim, mlp, true),
            linear2: Linear::new(&scope.at("linear2"), mlp, dim, true),
            heads,
            dropout,
        }
    }

    /// `[batch, tokens, dim]` to the same.
    pub fn forward(&self, pass: &Pass, tokens: &Tensor) -> Tensor {
        let parts = self.qkv.forward(pass, &self.norm1.forward(tokens)).chunk(3, 2);
        let mixed = attention(pass, [&parts[0], &parts[1], &parts[2]], self.heads, self.dropout);
        let tokens = beside(tokens, pass.dropout(f32(&self.out.forward(pass, &mixed)), self.dropout));
        let inner = gelu(self.linear1.forward(pass, &self.norm2.forward(&tokens)));
        let inner = self.linear2.forward(pass, &pass.dropout(inner, self.dropout));
        beside(&tokens, pass.dropout(f32(&inner), self.dropout))
    }
}
