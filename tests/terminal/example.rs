//! The frame that the README shows: the example that prints it is run here.

#[path = "../../app/examples/screen.rs"]
#[expect(dead_code, reason = "what only its command line uses")]
mod screen;

#[test]
fn the_example_prints_a_frame_of_a_real_run() {
    let snapshot = screen::quickstart(30).expect("it trains");
    let text = screen::frame(&snapshot, (120, 36), 1, false);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 36, "{text}");
    assert!(lines.iter().all(|line| line.chars().count() <= 120), "{text}");
    for words in ["step 30/", "Lanes 5", "Loss", "weight-perturbation", "Alignment", "help", "quit"] {
        assert!(text.contains(words), "no `{words}` in\n{text}");
    }
    // The same steps give the same numbers.
    let again = screen::quickstart(30).expect("it trains");
    let losses = |snapshot: &guesswork::session::Snapshot| -> Vec<_> {
        let loss = guesswork::record::Key::whole(guesswork::record::Quantity::Loss);
        snapshot.lanes.iter().map(|lane| lane.history.series(loss).and_then(|series| series.last())).collect()
    };
    assert_eq!(losses(&snapshot), losses(&again));
}
