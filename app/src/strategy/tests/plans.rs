//! Plans and combinations that are refused, and what a plan gives.

use super::*;

#[test]
fn in_call_mode_layer_what_comes_later_does_not_exist_yet() {
    let model = Model::new(DType::F64);
    let (mut instance, mut outputs) = probe_with(&model, 1, |_| {});
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&seen);
    probe::on_propose(move |step, _| {
        let services = services();
        let own = services.output(step.ctx, step.site, 0).unwrap();
        services.fill(step.ctx, own, 0.0).unwrap();
        let other = services.output(step.ctx, 1 - step.site, 0).map_err(|(code, _)| code).map(|_| ());
        let later = services.input(step.ctx, abi::GW_ROLE_PRE_ACTIVATION, 1).map_err(|(code, _)| code).map(|_| ());
        log.borrow_mut().push((step.site, other, later));
        abi::GW_OK
    });
    for site in 0..2 {
        instance.propose(&mut call(&model, 0, Some(site), &mut outputs)).unwrap();
    }
    let state = Err(abi::GW_WRONG_STATE);
    assert_eq!(*seen.borrow(), [(0, state, state), (1, state, Ok(()))]);
}

#[test]
fn plans_that_make_no_sense_are_refused_by_name() {
    let model = Model::new(DType::F64);
    let bad: [(&str, fn(&mut gw_plan)); 7] = [
        ("call_mode is 7", |plan| plan.call_mode = 7),
        ("signal_at is 7", |plan| plan.signal_at = 7),
        ("rank is 0", |plan| (plan.direction, plan.rank) = (abi::GW_DIRECTION_FACTORS, 0)),
        ("must-understand flags", |plan| plan.flags = 1 << 32),
        ("service oracle, which was not granted", |plan| plan.services |= 1 << abi::GW_SERVICE_ORACLE),
        ("without the service oracle", |plan| plan.oracle_budget = 3.0),
        ("the pointer is null", |plan| (plan.persistent_count, plan.persistent_stride) = (1, 64)),
    ];
    for (expected, break_it) in bad {
        let info = probe::read(probe::entry(), probe::strategy()).unwrap();
        probe::on_prepare(break_it);
        let mut instance = Instance::create(&info, &Params::default()).unwrap();
        let error = instance.prepare(&model.graph, &model.tape, &facts(1)).expect_err(expected);
        assert!(matches!(&error.failure, Failure::Plan(text) if text.contains(expected)), "{error}");
    }
}

#[test]
fn combinations_without_meaning_are_refused_by_name() {
    let model = Model::new(DType::F32);
    let refused = |change: fn(&mut gw_strategy), run: RunFacts| {
        let mut strategy = probe::strategy();
        change(&mut strategy);
        let info = probe::read(probe::entry(), strategy).unwrap();
        probe::on_prepare(|_| {});
        let mut instance = Instance::create(&info, &Params::default()).unwrap();
        match instance.prepare(&model.graph, &model.tape, &run).unwrap_err().failure {
            Failure::Unsupported(text) => text,
            other => panic!("{other}"),
        }
    };
    assert!(refused(|strategy| strategy.needs |= 1 << 60, facts(1)).contains("number 60"));
    assert!(refused(|strategy| strategy.needs |= 1 << abi::GW_ROLE_GRADIENT, facts(1)).contains("diagnostic"));
    assert!(refused(|strategy| strategy.services |= 1 << 50, facts(1)).contains("number 50"));
    assert!(refused(|strategy| strategy.dtypes = 2, facts(1)).contains("does not run in f32, only in f64"));
    assert!(refused(|strategy| strategy.devices = 2, facts(1)).contains("only on cuda"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_WEIGHT, facts(1)).contains("scope to batch or layer"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_ESTIMATE, facts(2)).contains("set guesses to 1"));
    assert!(refused(|strategy| strategy.kind = abi::GW_KIND_SEARCH, facts(1)).contains("search"));
}

#[test]
fn persistent_matrices_stay_between_steps_and_go_through_checkpoints() {
    static NAME: &str = "memory";
    let model = Model::new(DType::F64);
    let plan = |plan: &mut gw_plan| {
        let size = size_of::<gw_persistent>() as u64;
        let memory = gw_persistent { struct_size: size, name: gw_str::new(NAME), rows: 2, columns: 3 };
        plan.call_mode = abi::GW_CALL_MODEL;
        plan.persistent = Box::leak(Box::new(memory));
        (plan.persistent_count, plan.persistent_stride) = (1, size);
    };
    let (mut instance, mut outputs) = probe_with(&model, 1, plan);
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let memory = services.persistent(step.ctx, 0).unwrap();
        assert_eq!(services.shape(step.ctx, memory).unwrap(), (2, 3));
        services.fill(step.ctx, memory, 3.0).unwrap();
        assert_eq!(services.persistent(step.ctx, 1).unwrap_err().0, abi::GW_INVALID_ARGUMENT);
    })
    .unwrap();
    let values = |instance: &Instance| instance.state()[0].1.to_vec2::<f64>().unwrap();
    assert_eq!(values(&instance), [[3.0; 3]; 2]);
    let saved: Vec<_> = instance.state().into_iter().map(|(name, tensor)| (name, tensor.copy().unwrap())).collect();
    instance.reset().unwrap();
    assert_eq!(values(&instance), [[0.0; 3]; 2]);
    instance.load_state(&saved).unwrap();
    instance.prepare(&model.graph, &model.tape, &facts(1)).unwrap();
    assert_eq!(values(&instance), [[3.0; 3]; 2]);
    let error = instance.load_state(&[]).unwrap_err();
    assert!(error.to_string().contains("persistent matrix `memory`: it is not in the checkpoint"), "{error}");
    run_probe(&mut instance, &mut outputs, &model, |services, step| {
        let memory = services.persistent(step.ctx, 0).unwrap();
        let data = services.data(step.ctx, memory).unwrap();
        // SAFETY: none: one number past the end is the fault; the redzone lies there.
        unsafe { data.data.cast::<f64>().add(6).write(1.0) };
    })
    .map_err(|error| {
        assert!(error.fatal_for_run(), "{error}");
        assert!(error.to_string().contains("past the end of the persistent matrix of site `memory`"), "{error}");
    })
    .unwrap_err();
}

#[test]
fn a_call_that_does_not_fit_is_the_host_s_fault() {
    let model = Model::new(DType::F32);
    let (mut instance, mut outputs) = probe(&model, 1);
    let error = instance.propose(&mut call(&model, 0, Some(0), &mut outputs)).unwrap_err();
    assert!(matches!(error.failure, Failure::Host(_)), "{error}");
    let unprepared = Instance::create(instance.info(), &Params::default()).unwrap();
    assert_eq!(unprepared.outputs(&model.tape).unwrap_err().failure, Failure::Unprepared);
}
