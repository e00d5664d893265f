//! What is measured: every quantity by name, of the whole model or of one site.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

/// One measured quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Mean loss of the training batch, before the update. Every step.
    Loss,
    /// Share of the training batch classified rightly, before the update. Every step.
    Accuracy,
    /// Norm ‖ĝ‖ of the estimate. Every step.
    EstimateNorm,
    /// Learning rate used. Every step.
    LearningRate,
    /// Loss on the test split.
    TestLoss,
    /// Accuracy on the test split.
    TestAccuracy,
    /// Loss on the validation split.
    ValidationLoss,
    /// Accuracy on the validation split.
    ValidationAccuracy,
    /// Loss on the whole training split.
    TrainLoss,
    /// Accuracy on the whole training split.
    TrainAccuracy,
    /// Accuracy on the training split less that on the test split, where both are measured at a step.
    GeneralisationGap,
    /// cos(ĝ, g): whole (no site) or of a site's parameters.
    Cosine,
    /// cos(Ê_l, δ_l) of a site's signal.
    SignalCosine,
    /// Of cos(Ê_{l,i}, δ_{l,i}) of a site's signal over the examples i of the batch: what 5 % are below.
    ExampleCosine5,
    /// What a quarter is below.
    ExampleCosine25,
    /// The median.
    ExampleCosine50,
    /// What three quarters are below.
    ExampleCosine75,
    /// What 95 % are below.
    ExampleCosine95,
    /// ‖ĝ‖/‖g‖: whole or of a site.
    NormRatio,
    /// Share of equal signs of ĝ and g.
    SignAgreement,
    /// One-step effectiveness, rescaled to ‖g‖.
    OneStep,
    /// One-step effectiveness at matched η, not rescaled.
    OneStepRaw,
    /// exp(H(σ/Σσ)) of a site's weight.
    EffectiveRank,
    /// ‖W‖_F²/σ₁² of a site's weight.
    StableRank,
    /// σ₁ of a site's weight.
    LargestSingular,
    /// exp(H(σ/Σσ)) of the batch's activations X_l, (B·P_l) × n_l.
    ActivationEffectiveRank,
    /// ‖X_l‖_F²/σ₁².
    ActivationStableRank,
    /// exp(H(σ/Σσ)) of the batch's true signals δ_l, (B·P_l) × n_l.
    SignalEffectiveRank,
    /// ‖δ_l‖_F²/σ₁².
    SignalStableRank,
    /// (‖m − g‖² − s²/M)/‖g‖² of M fresh estimates with mean m at a frozen point: whole or of a site. Around 0, and below it
    /// too, for an unbiased guess.
    BiasSquared,
    /// Its standard error over those estimates; there is none of two.
    BiasSquaredError,
    /// s²/‖g‖² of those estimates.
    Variance,
    /// Its standard error over them; there is none of two.
    VarianceError,
    /// ⟨m, g⟩/‖g‖²: the factor of g that their mean has.
    ScalarFit,
    /// Its standard error over them.
    ScalarFitError,
    /// ‖Pδ‖²/‖δ‖² of a site's true signal in the span of the masked rows of the next weight.
    WeightContainment,
    /// What a random span of the same rank would hold of it.
    WeightContainmentRandom,
    /// ‖Pδ‖²/‖δ‖² in the span of the masked activations of the batch.
    ActivationContainment,
    /// What a random span of the same rank would hold of it.
    ActivationContainmentRandom,
    /// λ₁, the largest eigenvalue of the Hessian on the step's batch.
    HessianLargest,
    /// λ_k, the last of the k largest.
    HessianLast,
    /// ‖Pg‖²/‖g‖² in the span of the k largest eigenvalues' eigenvectors.
    HessianGradient,
    /// ‖Pĝ‖²/‖ĝ‖² there.
    HessianEstimate,
    /// What a random direction holds of it: k/n.
    HessianRandom,
    /// The largest ‖Hu − λu‖ of the k over the largest |λ| found.
    HessianResidual,
    /// Mean of M_l.
    MaskDensity,
    /// Steps a second over the last while, measuring excluded.
    StepsPerSecond,
}

impl Quantity {
    /// All of them, in the order of records and columns.
    pub const ALL: [Self; 47] = [
        Self::Loss,
        Self::Accuracy,
        Self::EstimateNorm,
        Self::LearningRate,
        Self::TestLoss,
        Self::TestAccuracy,
        Self::ValidationLoss,
        Self::ValidationAccuracy,
        Self::TrainLoss,
        Self::TrainAccuracy,
        Self::GeneralisationGap,
        Self::Cosine,
        Self::SignalCosine,
        Self::ExampleCosine5,
        Self::ExampleCosine25,
        Self::ExampleCosine50,
        Self::ExampleCosine75,
        Self::ExampleCosine95,
        Self::NormRatio,
        Self::SignAgreement,
        Self::OneStep,
        Self::OneStepRaw,
        Self::EffectiveRank,
        Self::StableRank,
        Self::LargestSingular,
        Self::ActivationEffectiveRank,
        Self::ActivationStableRank,
        Self::SignalEffectiveRank,
        Self::SignalStableRank,
        Self::BiasSquared,
        Self::BiasSquaredError,
        Self::Variance,
        Self::VarianceError,
        Self::ScalarFit,
        Self::ScalarFitError,
        Self::WeightContainment,
        Self::WeightContainmentRandom,
        Self::ActivationContainment,
        Self::ActivationContainmentRandom,
        Self::HessianLargest,
        Self::HessianLast,
        Self::HessianGradient,
        Self::HessianEstimate,
        Self::HessianRandom,
        Self::HessianResidual,
        Self::MaskDensity,
        Self::StepsPerSecond,
    ];

    /// The quantity of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|quantity| quantity.name() == name)
    }

    /// The quantity that is its standard error over the guesses of a probe, where there is one.
    pub fn error(self) -> Option<Self> {
        match self {
            Self::BiasSquared => Some(Self::BiasSquaredError),
            Self::Variance => Some(Self::VarianceError),
            Self::ScalarFit => Some(Self::ScalarFitError),
            _ => None,
        }
    }

    /// Whether it is the standard error of another.
    pub fn is_error(self) -> bool {
        matches!(self, Self::BiasSquaredError | Self::VarianceError | Self::ScalarFitError)
    }

    /// Whether a clock decides it, so that two runs of one experiment differ in it.
    pub fn timed(self) -> bool {
        self == Self::StepsPerSecond
    }

    /// Its name in records, CSV headers and the screen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
            Self::EstimateNorm => "estimate_norm",
            Self::LearningRate => "learning_rate",
            Self::TestLoss => "test_loss",
            Self::TestAccuracy => "test_accuracy",
            Self::ValidationLoss => "validation_loss",
            Self::ValidationAccuracy => "validation_accuracy",
            Self::TrainLoss => "train_loss",
            Self::TrainAccuracy => "train_accuracy",
            Self::GeneralisationGap => "generalisation_gap",
            Self::Cosine => "cosine",
            Self::SignalCosine => "signal_cosine",
            Self::ExampleCosine5 => "example_cosine_5",
            Self::ExampleCosine25 => "example_cosine_25",
            Self::ExampleCosine50 => "example_cosine_50",
            Self::ExampleCosine75 => "example_cosine_75",
            Self::ExampleCosine95 => "example_cosine_95",
            Self::NormRatio => "norm_ratio",
            Self::SignAgreement => "sign_agreement",
            Self::OneStep => "one_step",
            Self::OneStepRaw => "one_step_raw",
            Self::EffectiveRank => "effective_rank",
            Self::StableRank => "stable_rank",
            Self::LargestSingular => "largest_singular",
            Self::ActivationEffectiveRank => "activation_effective_rank",
            Self::ActivationStableRank => "activation_stable_rank",
            Self::SignalEffectiveRank => "signal_effective_rank",
            Self::SignalStableRank => "signal_stable_rank",
            Self::BiasSquared => "bias_squared",
            Self::BiasSquaredError => "bias_squared_error",
            Self::Variance => "variance",
            Self::VarianceError => "variance_error",
            Self::ScalarFit => "scalar_fit",
            Self::ScalarFitError => "scalar_fit_error",
            Self::WeightContainment => "weight_containment",
            Self::WeightContainmentRandom => "weight_containment_random",
            Self::ActivationContainment => "activation_containment",
            Self::ActivationContainmentRandom => "activation_containment_random",
            Self::HessianLargest => "hessian_largest",
            Self::HessianLast => "hessian_last",
            Self::HessianGradient => "hessian_gradient",
            Self::HessianEstimate => "hessian_estimate",
            Self::HessianRandom => "hessian_random",
            Self::HessianResidual => "hessian_residual",
            Self::MaskDensity => "mask_density",
            Self::StepsPerSecond => "steps_per_second",
        }
    }
}

/// A quantity, of the whole model or of one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// What.
    pub quantity: Quantity,
    /// Of which site; `None` for the whole.
    pub site: Option<u16>,
}

impl Key {
    /// Of the whole model.
    pub fn whole(quantity: Quantity) -> Self {
        Self { quantity, site: None }
    }

    /// Of one site.
    pub fn site(quantity: Quantity, site: usize) -> Self {
        Self { quantity, site: Some(site as u16) }
    }
}
