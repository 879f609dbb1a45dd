//! Engines that make no sense in a cluster.

use schema_changes::Engine;

use super::{Context, Finding};

pub(super) fn check(context: &Context<'_>) -> Vec<Finding> {
    let plans = context.now.plans.iter().filter(|plan| plan.plan.database.engine == Engine::Sqlite);
    plans
        .map(|plan| {
            let message = format!("{} is on SQLite, which is for a laptop and the demo", plan.plan.database.name);
            Finding::warning(
                &plan.database_file(),
                0,
                message,
                "use a server in a cluster: pods on two nodes share no file",
            )
        })
        .collect()
}
