//! Lanes with losses of their own on each layer.

use crate::support::{Place, digits, kind};

/// The gradient of heads that learn beside the network is nearer to the network's own than that of heads that stay as they were
/// drawn. Seeds 0 to 2.
#[test]
fn heads_that_learn_guess_better_than_heads_that_stay() {
    let lanes = r#"
        (strategy: "local-loss", name: "learns", scope: example_layer, optimizer: sgd(lr: 0.02)),
        (strategy: "local-loss", name: "stays", params: {"lr": 0.0}, scope: example_layer, optimizer: sgd(lr: 0.02)),
    "#;
    let rest = "seeds: [0, 1, 2], steps: 300, measure: (alignment: 10, test: 0)";
    let records = Place::new(&digits(lanes, rest)).batch(&[]).expect(0).records();
    let mean = |lane: u64| {
        let late = kind(&records, "step").into_iter().filter(|step| step["lane"] == lane);
        let late = late.filter(|step| step["step"].as_u64().is_some_and(|step| (150..300).contains(&step)));
        let cosines: Vec<f64> = late.filter_map(|step| step["cosine"].as_f64()).collect();
        assert_eq!(cosines.len(), 15);
        cosines.iter().sum::<f64>() / cosines.len() as f64
    };
    let names: Vec<&str> = kind(&records, "lane").iter().map(|lane| lane["name"].as_str().unwrap()).collect();
    let of = |name: &str| -> Vec<f64> {
        (0..names.len()).filter(|&lane| names[lane] == name).map(|lane| mean(lane as u64)).collect()
    };
    let (learns, stays) = (of("learns"), of("stays"));
    for (learns, stays) in learns.iter().zip(&stays) {
        assert!(learns > &(stays + 0.05), "{learns} {stays}");
    }
}
