//! A table at some phase, and others like it: what each side of a pair begins with.

use anyhow::Result;

use crate::{
    Options,
    database::{Database, Engine, Server},
    figures::Figures,
    runner::{Project, Run},
};

/// Customers that a change was brought to `synced` on, and the project that takes them further.
pub(crate) struct Original {
    /// What is copied, where that is cheaper than making it anew.
    first: Option<Database>,
    engine: Engine,
    rows: u64,
    /// Its target is `migrated`.
    project: Project,
}

/// So many customers, taken as far as `target`.
pub(crate) async fn made(
    options: &Options,
    server: &Server,
    engine: Engine,
    rows: u64,
    project: &Project,
    figures: &mut Figures,
) -> Result<Database> {
    let database = server.empty(engine).await?;
    database.customers(rows).await?;
    project.run(options, &database, &[], figures).await?;
    Ok(database)
}

impl Original {
    pub(crate) async fn synced(
        options: &Options,
        server: &Server,
        engine: Engine,
        rows: u64,
        figures: &mut Figures,
    ) -> Result<Self> {
        let project = Project::new(engine, "target: synced")?;
        let first = match engine {
            Engine::Postgres | Engine::Sqlite => Some(made(options, server, engine, rows, &project, figures).await?),
            // It has no copy of a database but a dump, which takes longer and leaves other pages.
            Engine::Mariadb => None,
        };
        project.target("target: migrated")?;
        Ok(Self { first, engine, rows, project })
    }

    /// One like it, not written to since it came to be at `synced`.
    pub(crate) async fn another(&self, options: &Options, server: &Server, figures: &mut Figures) -> Result<Database> {
        let Some(first) = &self.first else {
            let project = Project::new(self.engine, "target: synced")?;
            return made(options, server, self.engine, self.rows, &project, figures).await;
        };
        server.copy(first).await
    }

    /// Statistics for all that are copied from now on.
    pub(crate) async fn analyze(&self) -> Result<()> {
        match &self.first {
            Some(first) => first.analyze().await,
            None => Ok(()),
        }
    }

    /// Fills one like it.
    pub(crate) async fn fill(
        &self,
        options: &Options,
        server: &Server,
        arguments: &[&str],
        figures: &mut Figures,
    ) -> Result<Run> {
        let database = self.another(options, server, figures).await?;
        let run = self.project.run(options, &database, arguments, figures).await?;
        server.drop(database).await?;
        Ok(run)
    }

    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    pub(crate) async fn end(self, server: &Server) -> Result<()> {
        match self.first {
            Some(first) => server.drop(first).await,
            None => Ok(()),
        }
    }
}
