"""Stage 2 of ConViTac: adapters, conditioning and heads learn beside a frozen encoder."""
