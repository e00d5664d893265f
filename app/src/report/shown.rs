//! What the pictures of a report show: quantities over time, of a lane as a whole and of each layer.

use crate::record::Quantity;

/// A quantity over time, as pictures show it.
pub(super) struct Shown {
    pub quantity: Quantity,
    pub name: &'static str,
    pub title: &'static str,
    pub label: &'static str,
    pub log: bool,
    pub caption: &'static str,
}

pub(super) const SHOWN: [Shown; 13] = [
    Shown {
        quantity: Quantity::Loss,
        name: "loss",
        title: "Training loss",
        label: "loss of the batch",
        log: true,
        caption: "Loss of the training batches before each update, as means over equal parts of the run.",
    },
    Shown {
        quantity: Quantity::TestAccuracy,
        name: "test-accuracy",
        title: "Test accuracy",
        label: "accuracy",
        log: false,
        caption: "Accuracy on the whole test split.",
    },
    Shown {
        quantity: Quantity::TrainAccuracy,
        name: "train-accuracy",
        title: "Training accuracy",
        label: "accuracy",
        log: false,
        caption: "Accuracy on the whole training split.",
    },
    Shown {
        quantity: Quantity::GeneralisationGap,
        name: "gap",
        title: "Generalisation gap",
        label: "training less test accuracy",
        log: false,
        caption: "Accuracy on the training split less accuracy on the test split.",
    },
    Shown {
        quantity: Quantity::Cosine,
        name: "cosine",
        title: "Alignment of guess and gradient",
        label: "|cos(ĝ, g)|",
        log: true,
        caption: "|cos(ĝ, g)| of all parameters together; a random direction has √(2/(πn)) on average, n the number of parameters.",
    },
    Shown {
        quantity: Quantity::OneStep,
        name: "one-step",
        title: "One-step effectiveness",
        label: "effectiveness",
        log: false,
        caption: "Descent of the loss by one step along ĝ, over that by a step of the same length along g.",
    },
    Shown {
        quantity: Quantity::NormRatio,
        name: "norm-ratio",
        title: "Norm of the estimate",
        label: "‖ĝ‖/‖g‖",
        log: true,
        caption: "Norm of the estimate over that of the gradient.",
    },
    Shown {
        quantity: Quantity::BiasSquared,
        name: "bias",
        title: "Relative squared bias",
        label: "bias²/‖g‖²",
        log: false,
        caption: "Squared bias over ‖g‖², less what chance adds: around 0, and below it too, for an unbiased guess.",
    },
    Shown {
        quantity: Quantity::Variance,
        name: "variance",
        title: "Relative variance",
        label: "variance/‖g‖²",
        log: true,
        caption: "Variance of the estimate over fresh guesses at a frozen point, over ‖g‖².",
    },
    Shown {
        quantity: Quantity::ScalarFit,
        name: "scalar-fit",
        title: "Share of the gradient in the mean estimate",
        label: "⟨E ĝ, g⟩/‖g‖²",
        log: false,
        caption: "The factor of g that the mean estimate has: 1 for an unbiased guess.",
    },
    Shown {
        quantity: Quantity::HessianEstimate,
        name: "hessian-estimate",
        title: "Share of the estimate in the Hessian's top subspace",
        label: "‖Pĝ‖²/‖ĝ‖²",
        log: true,
        caption: "Share of ĝ in the span of the eigenvectors of the batch Hessian's k largest eigenvalues; a random direction has k/n.",
    },
    Shown {
        quantity: Quantity::HessianGradient,
        name: "hessian-gradient",
        title: "Share of the gradient in the Hessian's top subspace",
        label: "‖Pg‖²/‖g‖²",
        log: false,
        caption: "Share of the true gradient in the span of the eigenvectors of the batch Hessian's k largest eigenvalues.",
    },
    Shown {
        quantity: Quantity::HessianLargest,
        name: "sharpness",
        title: "Sharpness",
        label: "λ₁",
        log: true,
        caption: "The largest eigenvalue of the batch Hessian.",
    },
];

/// A quantity that each layer has, over time.
pub(super) struct Layered {
    pub quantity: Quantity,
    /// What it is compared with, dashed.
    pub beside: Option<Quantity>,
    pub name: &'static str,
    pub title: &'static str,
    pub caption: &'static str,
}

const fn layered(quantity: Quantity, name: &'static str, title: &'static str, caption: &'static str) -> Layered {
    Layered { quantity, beside: None, name, title, caption }
}

pub(super) const LAYERED: [Layered; 7] = [
    layered(
        Quantity::ExampleCosine50,
        "example-cosine",
        "Median cos(Ê, δ)",
        "Median over the batch's examples of the cosine of guessed and true signal; the other quantiles are in the records.",
    ),
    Layered {
        quantity: Quantity::ActivationContainment,
        beside: Some(Quantity::ActivationContainmentRandom),
        name: "containment",
        title: "Signal in the span of the activations",
        caption: "Share of the true signal in the span of the batch's masked activations; dashed what a random span of the same rank holds.",
    },
    layered(
        Quantity::SignalEffectiveRank,
        "signal-rank",
        "Effective rank of the true signals",
        "Effective rank exp(H(σ/Σσ)) of the batch's δ, a row an example (or position).",
    ),
    layered(
        Quantity::ActivationEffectiveRank,
        "activation-rank",
        "Effective rank of the activations",
        "Effective rank exp(H(σ/Σσ)) of the batch's X, a row an example (or position).",
    ),
    layered(
        Quantity::SignalStableRank,
        "signal-stable-rank",
        "Stable rank of the true signals",
        "Stable rank ‖δ‖²/σ₁² of the batch's δ.",
    ),
    layered(Quantity::EffectiveRank, "effective-rank", "Effective rank", "Effective rank exp(H(σ/Σσ)) of the weight."),
    layered(Quantity::StableRank, "stable-rank", "Stable rank", "Stable rank ‖W‖²/σ₁² of the weight."),
];
