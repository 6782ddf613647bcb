use tch::Tensor;

use crate::pass::Pass;

/// Scaled dot-product attention of several heads: queries, keys and values `[batch, tokens, heads · width]` to the
/// same shape, before the output's linear layer.
pub fn attention(pass: &Pass, [query, key, value]: [&Tensor; 3], heads: usize, dropout: f64) -> Tensor {
    let split = |tensor: &Tensor| {
        let (batch, tokens, width) = (tensor.size()[0], tensor.size()[1], tensor.size()[2]);
        tensor.view([batch, tokens, heads as i64, width / heads as i64]).transpose(1, 2)
    };
    let (batch, tokens, width) = (query.size()[0], query.size()[1], query.size()[2]);
    let dropout = if pass.training { dropout } else { 0.0 };
    let mixed = Tensor::scaled_dot_product_attention(
        &split(query),
        &split(key),
        &split(value),
        None::<&Tensor>,
        dropout,
        false,
        None,
        false,
    );
    mixed.transpose(1, 2).reshape([batch, tokens, width])
}

/// A shortcut beside what a layer gave: their sum, in the memory of the latter, whose values no gradient needs.
pub fn beside(shortcut: &Tensor, mut branch: Tensor) -> Tensor {
    branch.g_add_(shortcut)
}
