//! The sessions of a database that nobody declared. A move that ends the old window is blocked by them: whoever they are,
//! they may need the old shape, and no pod template says so.

use phase_ledger::{Cell, ReadError, Session, Statement};
use schema_changes::{Database, Engine, SchemaChange, quote};
use schema_phases::{AppVersion, Because, Fact, Missing, Move, Sighting};

use crate::{
    catalog::{int, text},
    halt::Halt,
    live::{LiveVersion, Presence},
    protocol::Attempt,
};

const POSTGRES: &str = include_str!("sql/postgres_sessions.sql");
const MYSQL: &str = include_str!("sql/mysql_sessions.sql");
/// Whether the runner sees the sessions of others at all.
pub(crate) const MYSQL_SEES: &str = "SELECT COUNT(*) FROM information_schema.user_privileges p WHERE p.privilege_type = 'PROCESS' \
                          AND p.grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";

/// An application's name is what its owner wrote: so much of it is shown.
const LONGEST_NAME: usize = 60;

impl Attempt<'_> {
    /// The live versions, and for a move that ends the old window the sessions that belong to none of them.
    pub(crate) async fn see_for(
        &mut self,
        change: &SchemaChange,
        step: Move,
    ) -> Result<Sighting<Vec<LiveVersion>>, Halt> {
        let seen = self.see().await?;
        let old = change.profile.old_window;
        let ends_old = old.distance(step.to()) > old.distance(step.from());
        let database = &self.plan.database;
        // Whoever states the live versions in a file vouches for them, unless the Database says who may be connected.
        let asks = self.ports.live.counts_sessions() || database.app_users.is_some();
        let Sighting::Seen { mut value, at } = seen else { return Ok(seen) };
        if ends_old && asks {
            match strangers(self.session.as_mut(), database, change).await? {
                Ok(strangers) => value.extend(strangers),
                Err(missing) => return Ok(Sighting::Missing(missing)),
            }
        }
        Ok(Sighting::Seen { value, at })
    }
}

/// Those that neither the apps' users nor a consumer's account for, each as a version of which nothing is known.
async fn strangers(
    session: &mut dyn Session,
    database: &Database,
    change: &SchemaChange,
) -> Result<Result<Vec<LiveVersion>, Missing>, ReadError> {
    let rows = match database.engine {
        Engine::Sqlite => return Ok(Ok(Vec::new())),
        Engine::Postgres => {
            let tables: Vec<String> =
                change.profile.tables.iter().map(|table| quote(Engine::Postgres, table)).collect();
            let binds = vec![Cell::Text(serde_json::Value::from(tables).to_string())];
            session.query(&Statement { sql: POSTGRES.to_owned(), binds }).await?
        }
        Engine::Mysql | Engine::Mariadb => {
            let sees = session.query(&Statement::plain(MYSQL_SEES)).await?;
            if sees.first().is_none_or(|row| int(row, 0) == 0) {
                let why = "the runner's user may not see who else is connected; GRANT PROCESS ON *.* to it";
                let because = Because::NotPermitted(why.to_owned());
                return Ok(Err(Missing { fact: Fact::LiveVersions, because }));
            }
            session.query(&Statement::plain(MYSQL)).await?
        }
    };
    let found = rows.iter().map(|row| Connected {
        user: text(row, 0).unwrap_or_default(),
        application: text(row, 1).unwrap_or_default(),
        sessions: int(row, 2),
    });
    let known: Vec<&str> = known(database).collect();
    let strangers = found.filter(|connected| !known.iter().any(|known| is_meant(known, &connected.user)));
    Ok(Ok(strangers
        .map(|stranger| LiveVersion {
            // Built for the old shape, as everything once was.
            version: AppVersion { name: stranger.name(), annotation: String::new() },
            presence: Presence::Unlabelled,
        })
        .collect()))
}

fn known(database: &Database) -> impl Iterator<Item = &str> {
    let apps = database.app_users.iter().flatten();
    apps.chain(database.consumers.iter().flat_map(|consumer| &consumer.users)).map(String::as_str)
}

/// Whether a declared name, perhaps with a `*` at its end, means that role.
fn is_meant(declared: &str, user: &str) -> bool {
    declared.strip_suffix('*').map_or(declared == user, |start| user.starts_with(start))
}

/// Sessions of one role under one name.
struct Connected {
    user: String,
    application: String,
    sessions: i64,
}

impl Connected {
    fn name(&self) -> String {
        let Self { user, application, sessions } = self;
        let application = if application.is_empty() { String::new() } else { format!("{}; ", shown(application)) };
        let plural = if *sessions == 1 { "" } else { "s" };
        format!(
            "{sessions} database session{plural} of {} ({application}not among spec.apps.users or a consumer's users \
             in phasegate.yaml)",
            shown(user)
        )
    }
}

fn shown(name: &str) -> String {
    name.chars().take(LONGEST_NAME).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_any_ending_and_nothing_else_does() {
        for (declared, user, want) in [
            ("app", "app", true),
            ("app", "app2", false),
            ("app*", "app2", true),
            ("app*", "app", true),
            ("app*", "ap", false),
            ("App", "app", false),
        ] {
            assert_eq!(is_meant(declared, user), want, "{declared} {user}");
        }
    }

    #[test]
    fn a_name_that_a_stranger_chose_stays_on_one_short_line() {
        let application = format!("a\n\u{1b}[31m{}", "x".repeat(500));
        let name = Connected { user: "bob".into(), application, sessions: 2 }.name();
        assert!(name.starts_with("2 database sessions of bob (a  [31mxxx"), "{name}");
        assert!(name.len() < 220 && !name.contains(char::is_control), "{name}");
    }
}
