use super::*;
use crate::testing::rollout;

#[test]
fn a_step_call_comes_back_as_it_went() {
    for template in [rollout().template, None] {
        for step_index in [Some(0), Some(7), None] {
            let rollout = AskingRollout { template: template.clone(), step_index, ..rollout() };
            let call = StepCall { rollout, config: b"{}".to_vec(), status: b"x".to_vec() };
            assert_eq!(step_call(run_request(call.clone())), Ok(call));
        }
    }
}

#[test]
fn a_rollout_that_is_not_whole_is_an_error_and_no_default() {
    let whole = rollout_to_wire(rollout());
    let rows = [
        (None, "rollout"),
        (Some(wire::Rollout { namespace: String::new(), ..whole.clone() }), "rollout.namespace"),
        (Some(wire::Rollout { name: String::new(), ..whole.clone() }), "rollout.name"),
        (Some(wire::Rollout { uid: String::new(), ..whole }), "rollout.uid"),
    ];
    for (rollout, field) in rows {
        assert_eq!(rollout_from_wire(rollout), Err(BadMessage::Absent { field }));
    }
}

#[test]
fn labels_that_do_not_count_are_dropped_at_the_border() {
    let mut sent = rollout_to_wire(rollout());
    sent.template.as_mut().unwrap().labels.insert("app".to_owned(), "shop".to_owned());
    assert_eq!(rollout_from_wire(Some(sent)), Ok(rollout()));
}

#[test]
fn reports_come_out_as_argo_is_to_be_told() {
    let (message, status) = ("m".to_owned(), b"{}".to_vec());
    let running =
        Report::Running { message: message.clone(), status: status.clone(), requeue_after: Duration::from_secs(15) };
    let want = Told {
        phase: StepPhase::Running,
        message: message.clone(),
        requeue_after: Some(Duration::from_secs(15)),
        status: status.clone(),
    };
    assert_eq!(told(run_response(running)), Ok(Ok(want.clone())));
    let failed = Report::Failed { message: message.clone(), status };
    assert_eq!(told(run_response(failed)), Ok(Ok(Told { phase: StepPhase::Failed, requeue_after: None, ..want })));
    assert_eq!(told(run_response(Report::Undecided { message: message.clone() })), Ok(Err(message)));
}

#[test]
fn unspecified_and_unknown_phases_are_errors() {
    for found in [0, 4, -1, i32::MAX] {
        let result = wire::Result { phase: found, ..nothing_to_undo("") };
        assert_eq!(told_result(Some(result)), Err(BadMessage::Phase { found }));
    }
    assert_eq!(told_result(None), Err(BadMessage::Absent { field: "result" }));
    assert_eq!(told(wire::RunResponse { outcome: None }), Err(BadMessage::Absent { field: "outcome" }));
}

#[test]
fn argos_words_are_argos() {
    assert_eq!(StepPhase::ALL.map(StepPhase::as_str), ["Running", "Successful", "Failed"]);
}
