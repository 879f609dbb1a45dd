//! The whole graph of a model, and a search backwards from its good ends.
//!
//! stateright follows single paths and cannot say that an end *stays reachable*. Here every state is numbered once and
//! the edges that a good end may count on are kept in reverse, four bytes each.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    hash::{BuildHasherDefault, Hash, Hasher},
};

use stateright::Model;

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fold>>;

/// Where a state was reached from, and how; the first ones from nowhere.
type Came<M> = Option<(<M as Model>::State, <M as Model>::Action)>;

/// What was found.
pub(super) struct Explored<S> {
    pub states: usize,
    pub transitions: usize,
    pub depth: usize,
    /// Which of the model's actions, by their place, ever changed anything.
    pub happened: Vec<bool>,
    /// How many states are good ends.
    pub ends: usize,
    /// How many states no good end can be reached from.
    pub stuck: usize,
    /// The shortest way to the first of these.
    pub way_to_stuck: Vec<S>,
}

/// Explores `model` from its first states to the last one. `helps` chooses the actions a good end may count on.
pub(super) fn explore<M>(
    model: &M,
    is_good_end: impl Fn(&M, &M::State) -> bool,
    helps: impl Fn(&M, &M::Action) -> bool,
) -> Explored<M::State>
where
    M: Model,
    M::State: Copy + Eq + Hash,
    M::Action: Copy,
{
    let mut numbers: Map<M::State, u32> = Map::default();
    let mut queue = VecDeque::new();
    let mut parents = Vec::new();
    let mut depths: Vec<u32> = Vec::new();
    let mut good = Vec::new();
    let mut helpful: Vec<(u32, u32)> = Vec::new();
    let mut transitions = 0;
    for state in model.init_states() {
        numbers.insert(state, parents.len() as u32);
        queue.push_back(state);
        parents.push(parents.len() as u32);
        depths.push(1);
        good.push(is_good_end(model, &state));
    }
    let mut actions = Vec::new();
    let mut happened = Vec::new();
    while let Some(state) = queue.pop_front() {
        let from = numbers[&state];
        actions.clear();
        model.actions(&state, &mut actions);
        happened.resize(actions.len(), false);
        for (place, action) in actions.iter().enumerate() {
            let Some(next) = model.next_state(&state, *action) else { continue };
            transitions += 1;
            happened[place] = true;
            let fresh = parents.len() as u32;
            let to = *numbers.entry(next).or_insert(fresh);
            if to == fresh {
                queue.push_back(next);
                parents.push(from);
                depths.push(depths[from as usize] + 1);
                good.push(is_good_end(model, &next));
            }
            if helps(model, action) {
                helpful.push((to, from));
            }
        }
    }
    let reached = backwards(&good, &helpful);
    let stuck = reached.iter().filter(|reached| !**reached).count();
    let first = reached.iter().position(|reached| !reached);
    let way_to_stuck = first.map_or_else(Vec::new, |first| way(first as u32, &parents, &numbers));
    Explored {
        states: parents.len(),
        transitions,
        depth: depths.iter().copied().max().unwrap_or_default() as usize,
        happened,
        ends: good.iter().filter(|good| **good).count(),
        stuck,
        way_to_stuck,
    }
}

/// The shortest way from a first state of `model` to one that is `sought`. stateright finds such states too, by a way
/// that is only nearly the shortest.
pub(super) fn shortest_way<M>(model: &M, sought: impl Fn(&M, &M::State) -> bool) -> Option<Vec<M::Action>>
where
    M: Model,
    M::State: Copy + Eq + Hash,
    M::Action: Copy,
{
    let mut came: Map<M::State, Came<M>> = Map::default();
    let mut queue: VecDeque<M::State> = model.init_states().into();
    came.extend(queue.iter().map(|first| (*first, None)));
    let mut actions = Vec::new();
    while let Some(mut state) = queue.pop_front() {
        if sought(model, &state) {
            let mut way = Vec::new();
            while let Some((before, action)) = came[&state] {
                way.push(action);
                state = before;
            }
            way.reverse();
            return Some(way);
        }
        actions.clear();
        model.actions(&state, &mut actions);
        for action in &actions {
            let Some(next) = model.next_state(&state, *action) else { continue };
            if let Entry::Vacant(place) = came.entry(next) {
                place.insert(Some((state, *action)));
                queue.push_back(next);
            }
        }
    }
    None
}

/// Which states reach one of `good` along `edges`, each given as (to, from).
fn backwards(good: &[bool], edges: &[(u32, u32)]) -> Vec<bool> {
    let mut begins = vec![0_u32; good.len() + 1];
    for (to, _) in edges {
        begins[*to as usize + 1] += 1;
    }
    for state in 0..good.len() {
        begins[state + 1] += begins[state];
    }
    let mut place = begins.clone();
    let mut sources = vec![0_u32; edges.len()];
    for (to, from) in edges {
        sources[place[*to as usize] as usize] = *from;
        place[*to as usize] += 1;
    }
    let mut reached = good.to_vec();
    let mut queue: Vec<u32> = (0..good.len() as u32).filter(|state| good[*state as usize]).collect();
    while let Some(state) = queue.pop() {
        for from in &sources[begins[state as usize] as usize..begins[state as usize + 1] as usize] {
            if !reached[*from as usize] {
                reached[*from as usize] = true;
                queue.push(*from);
            }
        }
    }
    reached
}

/// The way from a first state to `last`.
fn way<S: Copy>(mut last: u32, parents: &[u32], numbers: &Map<S, u32>) -> Vec<S> {
    let mut path = vec![last];
    while parents[last as usize] != last {
        last = parents[last as usize];
        path.push(last);
    }
    path.reverse();
    let states: HashMap<u32, S> =
        numbers.iter().filter(|(_, number)| path.contains(number)).map(|(state, number)| (*number, *state)).collect();
    path.iter().map(|number| states[number]).collect()
}

/// A quick hash for small states; collisions cost time, never truth.
#[derive(Default)]
struct Fold(u64);

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u128(&mut self, word: u128) {
        self.write_u64(word as u64);
        self.write_u64((word >> 64) as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}
