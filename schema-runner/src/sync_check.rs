//! Whether everything that keeps two shapes equal is there, enabled and as it was made.

use schema_changes::SchemaChange;

use crate::{
    halt::{Halt, MoveError},
    protocol::Attempt,
    verify::number,
};

impl Attempt<'_> {
    /// Looks for each object that sync relies on. Asked before a change is called synced, and before and after its rows
    /// are verified: a trigger that was off in between has let writes pass.
    pub(crate) async fn check_sync(&mut self, change: &SchemaChange) -> Result<(), Halt> {
        let catalog = self.catalog(change).await?;
        let objects = self
            .ports
            .moves
            .sync_objects(change, &catalog)
            .map_err(|cannot| Halt::from(MoveError::Refused { why: cannot.why }))?;
        for object in objects {
            if number(self.session.as_mut(), &object.present).await? == 0 {
                let why = "is missing, disabled or altered".to_owned();
                return Err(MoveError::SyncBroken { object: object.name, table: object.table, why }.into());
            }
        }
        Ok(())
    }
}
