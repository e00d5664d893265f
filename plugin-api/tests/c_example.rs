//! The strategy in C: built with the system's compiler, loaded, and checked against its formula.

#![allow(unsafe_code)]

use guesswork_plugin::testing::{Activation, Host, Network, Setup};
use guesswork_plugin::{CallMode, DType, abi};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// The library's entry, or `None`, with the reason printed, where there is no compiler.
fn entry() -> Option<abi::gw_entry_fn> {
    static ENTRY: OnceLock<Option<abi::gw_entry_fn>> = OnceLock::new();
    *ENTRY.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let source = root.join("../plugins/examples/c/sign_perturbation.c");
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libguesswork_sign_perturbation.so");
        let mut command = Command::new("cc");
        command.args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fPIC", "-shared", "-I"]);
        command.arg(root.join("include")).arg(source).arg("-o").arg(&library).arg("-lm");
        match command.output() {
            Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                println!("skipped: the compiler `cc` cannot be run: {error}");
                return None;
            }
        }
        // SAFETY: our own library, without constructors; it stays mapped.
        unsafe {
            let library = Box::leak(Box::new(libloading::Library::new(library).unwrap()));
            Some(*library.get::<abi::gw_entry_fn>(abi::GW_ENTRY_SYMBOL).unwrap())
        }
    })
}

fn setup() -> Option<Setup> {
    // SAFETY: the library stays mapped.
    entry().map(|entry| unsafe { Setup::from_library(entry, "sign-perturbation") }.unwrap())
}

fn check(setup: Setup, density: f64, tolerance: f64) {
    let network = Network::tokens(3, &[4, 30, 40, 3], Activation::Tanh);
    let mut host: Host = setup.network(network).guesses(2).param("density", density).start().unwrap();
    assert_eq!(host.call_mode(), CallMode::Layer);
    for _ in 0..2 {
        host.step().unwrap();
        for (site, guess) in [(0, 0), (1, 1), (2, 0)] {
            let mask = host.derivative(site);
            let (rows, columns) = (mask.rows(), mask.columns());
            let mut expected = host.draw(abi::GW_DRAW_RADEMACHER, [site, guess, 0], rows, columns).hadamard(mask);
            if density < 1.0 {
                let kept = host.draw(abi::GW_DRAW_UNIFORM, [site, guess, 1], rows, columns);
                expected = expected.hadamard(&kept.map(|u| if u < density { density.powf(-0.5) } else { 0.0 }));
            }
            host.signal(site, guess).assert_close(&expected, tolerance);
        }
    }
}

#[test]
fn the_guess_is_its_formula() {
    for density in [1.0, 0.25] {
        for (dtype, tolerance) in [(DType::F64, 1e-14), (DType::F32, 1e-6)] {
            if let Some(setup) = setup() {
                check(setup.dtype(dtype), density, tolerance);
            }
        }
    }
}

#[test]
fn what_the_schema_does_not_allow_is_refused() {
    let Some(setup) = setup() else { return };
    assert!(setup.clone().param("density", 0.0).start().unwrap_err().text().contains("`density`"));
    assert!(setup.param("depth", 1).start().unwrap_err().text().contains("`depth`"));
    let entry = entry().unwrap();
    // SAFETY: the library stays mapped.
    let missing = unsafe { Setup::from_library(entry, "other") }.unwrap_err();
    assert!(missing.text().contains("`other`"), "{missing}");
}
