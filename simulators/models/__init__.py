"""The chips' physics: batched, differentiable torch models."""
