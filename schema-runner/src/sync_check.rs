//! Whether everything that keeps two shapes equal is there, enabled and as it was made.

use phase_ledger::Session;
use schema_changes::{Catalog, SchemaChange, SyncObject};

use crate::{
    halt::{Halt, MoveError},
    moves::Moves,
    protocol::Attempt,
    verify::number,
};

impl Attempt<'_> {
    /// Looks for each object that sync relies on. Asked before a change is called synced, and before and after its rows
    /// are verified: a trigger that was off in between has let writes pass.
    pub(crate) async fn check_sync(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let catalog = self.catalog(change).await?;
        let missing = broken_sync(self.session.as_mut(), self.ports.moves, change, &catalog).await?;
        match missing.into_iter().next() {
            None => Ok(()),
            Some(SyncObject { table, name, .. }) => {
                Err(MoveError::SyncBroken { object: name, table, why: BROKEN.to_owned() }.into())
            }
        }
    }
}

/// What is wrong with an object that the catalog does not show as it was made.
pub(crate) const BROKEN: &str = "is missing, disabled or altered";

/// The objects that sync relies on and that are not as they were made.
pub(crate) async fn broken_sync(
    session: &mut dyn Session,
    moves: &dyn Moves,
    change: &SchemaChange,
    catalog: &Catalog,
) -> Result<Vec<SyncObject>, Halt> {
    let objects = moves.sync_objects(change, catalog);
    let objects = objects.map_err(|cannot| Halt::from(MoveError::Refused { why: cannot.why }))?;
    let mut broken = Vec::new();
    for object in objects {
        if number(session, &object.present).await? == 0 {
            broken.push(object);
        }
    }
    Ok(broken)
}
