use super::*;

const TTL: Duration = Duration::from_secs(4);
const RETENTION: Duration = Duration::from_secs(600);

fn limits() -> Limits {
    Limits {
        ttl: TTL,
        lapsed_retention: RETENTION,
        services: 3,
        instances_per_service: 3,
    }
}

fn name(name: &str) -> Name {
    Name::parse(name).unwrap()
}

fn instance(service: &str, id: &str, port: u16) -> Instance {
    Instance {
        service: name(service),
        id: name(id),
        address: ([127, 0, 0, 1], port).into(),
        admin_address: None,
        version: "0.1.0".to_owned(),
        pid: 1,
    }
}

/// Time that passes as a running registry sees it: in small steps.
struct Clock {
    now: Instant,
}

impl Clock {
    fn pass(&mut self, leases: &mut Leases, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + limits().longest_pause()).min(end);
            leases.advance(self.now);
        }
    }
}

fn started() -> (Leases, Clock) {
    let now = Instant::now();
    (Leases::new(limits(), now), Clock { now })
}

fn states(leases: &Leases, service: &str) -> Vec<(String, InstanceState)> {
    let view = leases.view(&name(service));
    view.instances
        .into_iter()
        .map(|listed| (listed.instance.id.to_string(), listed.state))
        .collect()
}

const UP: InstanceState = InstanceState::Up;
const LAPSED: InstanceState = InstanceState::Lapsed;

fn is(states: &[(String, InstanceState)], expected: &[(&str, InstanceState)]) -> bool {
    states
        .iter()
        .map(|(id, state)| (id.as_str(), *state))
        .eq(expected.iter().copied())
}

#[test]
fn a_lease_holds_while_it_is_renewed_and_lapses_when_not() {
    let (mut leases, mut clock) = started();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    leases
        .register(instance("catalog", "b", 2), clock.now)
        .unwrap();
    clock.pass(&mut leases, TTL / 2);
    assert!(leases.renew(&name("catalog"), &name("a"), clock.now));
    clock.pass(&mut leases, TTL / 2);
    assert!(is(&states(&leases, "catalog"), &[("a", UP), ("b", LAPSED)]));

    clock.pass(&mut leases, TTL / 2);
    assert!(is(
        &states(&leases, "catalog"),
        &[("a", LAPSED), ("b", LAPSED)]
    ));
}

#[test]
fn a_lapsed_instance_that_is_heard_again_is_up_again() {
    let (mut leases, mut clock) = started();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    clock.pass(&mut leases, TTL);
    assert!(is(&states(&leases, "catalog"), &[("a", LAPSED)]));
    assert!(leases.renew(&name("catalog"), &name("a"), clock.now));
    assert!(is(&states(&leases, "catalog"), &[("a", UP)]));
}

#[test]
fn a_lapsed_instance_is_remembered_for_a_time_and_a_deregistered_one_is_not() {
    let (mut leases, mut clock) = started();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    leases
        .register(instance("catalog", "b", 2), clock.now)
        .unwrap();
    assert!(leases.deregister(&name("catalog"), &name("b"), clock.now));
    assert!(!leases.deregister(&name("catalog"), &name("b"), clock.now));
    assert!(is(&states(&leases, "catalog"), &[("a", UP)]));

    clock.pass(&mut leases, TTL + RETENTION - Duration::from_millis(1));
    assert!(is(&states(&leases, "catalog"), &[("a", LAPSED)]));
    clock.pass(&mut leases, Duration::from_millis(1));
    assert!(is(&states(&leases, "catalog"), &[]));
    assert!(!leases.renew(&name("catalog"), &name("a"), clock.now));
    assert_eq!(
        leases.counts(),
        [Count {
            service: name("catalog"),
            up: 0,
            lapsed: 0
        }]
    );
}

#[test]
fn whoever_takes_the_place_of_a_killed_instance_replaces_it() {
    let (mut leases, clock) = started();
    let admin = Some(([127, 0, 0, 1], 99).into());
    let old = Instance {
        admin_address: admin,
        ..instance("catalog", "old", 1)
    };
    leases.register(old, clock.now).unwrap();
    leases
        .register(instance("catalog", "beside", 2), clock.now)
        .unwrap();
    leases
        .register(instance("catalog", "new", 1), clock.now)
        .unwrap();
    assert!(is(
        &states(&leases, "catalog"),
        &[("beside", UP), ("new", UP)]
    ));

    let same_admin = Instance {
        admin_address: admin,
        ..instance("catalog", "x", 7)
    };
    leases.register(same_admin.clone(), clock.now).unwrap();
    leases
        .register(
            Instance {
                id: name("y"),
                ..same_admin
            },
            clock.now,
        )
        .unwrap();
    assert!(is(
        &states(&leases, "catalog"),
        &[("beside", UP), ("new", UP), ("y", UP)]
    ));
}

#[test]
fn registering_again_is_no_news_unless_something_differs() {
    let (mut leases, clock) = started();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    let revision = leases.revision();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    assert_eq!(leases.revision(), revision);
    leases
        .register(instance("catalog", "a", 2), clock.now)
        .unwrap();
    assert_eq!(leases.revision(), revision + 1);
    assert_eq!(leases.view(&name("catalog")).revision, revision + 1);
}

#[test]
fn it_warms_for_one_lease_time_after_its_start() {
    let (mut leases, mut clock) = started();
    let unknown = leases.view(&name("never-seen"));
    assert_eq!(unknown.readiness, Readiness::Warming);
    clock.pass(&mut leases, TTL - Duration::from_millis(1));
    assert_eq!(leases.readiness(), Readiness::Warming);
    clock.pass(&mut leases, Duration::from_millis(1));
    let ready = leases.view(&name("never-seen"));
    assert_eq!(ready.readiness, Readiness::Ready);
    assert!(ready.revision > unknown.revision, "whoever watches is told");
}

#[test]
fn a_registry_that_has_slept_lets_nobody_lapse_and_warms_again() {
    let (mut leases, mut clock) = started();
    leases
        .register(instance("catalog", "a", 1), clock.now)
        .unwrap();
    leases
        .register(instance("catalog", "b", 2), clock.now)
        .unwrap();
    clock.pass(&mut leases, TTL / 2);

    clock.now += TTL * 15;
    leases.advance(clock.now);
    assert_eq!(leases.readiness(), Readiness::Warming);
    assert!(is(&states(&leases, "catalog"), &[("a", UP), ("b", UP)]));

    assert!(leases.renew(
        &name("catalog"),
        &name("a"),
        clock.now + limits().longest_pause()
    ));
    clock.pass(&mut leases, TTL);
    assert_eq!(leases.readiness(), Readiness::Ready);
    assert!(is(&states(&leases, "catalog"), &[("a", UP), ("b", LAPSED)]));
}

#[test]
fn there_is_room_for_so_many_and_the_lapsed_make_room() {
    let (mut leases, mut clock) = started();
    for service in ["a", "b", "c"] {
        leases
            .register(instance(service, "1", 1), clock.now)
            .unwrap();
    }
    assert_eq!(
        leases.register(instance("d", "1", 1), clock.now),
        Err(Refused::Services)
    );
    leases.register(instance("a", "2", 2), clock.now).unwrap();
    leases.register(instance("a", "3", 3), clock.now).unwrap();
    let refused = leases.register(instance("a", "4", 4), clock.now);
    assert_eq!(refused, Err(Refused::Instances));
    // At a known place, or under a known id, it is not one more.
    leases.register(instance("a", "5", 3), clock.now).unwrap();
    leases.register(instance("a", "2", 6), clock.now).unwrap();

    clock.pass(&mut leases, TTL / 2);
    leases.renew(&name("a"), &name("1"), clock.now);
    leases.renew(&name("a"), &name("5"), clock.now);
    clock.pass(&mut leases, TTL / 2);
    leases.register(instance("a", "4", 4), clock.now).unwrap();
    assert!(is(
        &states(&leases, "a"),
        &[("1", UP), ("4", UP), ("5", UP)]
    ));
}

/// SplitMix64 (<https://prng.di.unimi.it/splitmix64.c>): the same numbers from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn id(&mut self) -> String {
        format!("i{}", self.below(6))
    }

    fn service(&mut self) -> String {
        format!("s{}", self.below(3))
    }
}

/// Whatever happens in whatever order: who was heard within the lease time is up, views change
/// exactly when their revision does, no two instances share a place, and the limits hold.
#[test]
fn invariants_hold_over_random_histories() {
    for seed in 0..200 {
        let mut dice = Dice(seed);
        let (mut leases, mut clock) = started();
        let mut heard: BTreeMap<(String, String), Instant> = BTreeMap::new();
        let mut seen: BTreeMap<String, View> = BTreeMap::new();
        for _ in 0..300 {
            let (service, id) = (dice.service(), dice.id());
            let key = (service.clone(), id.clone());
            match dice.below(10) {
                0..=2 => {
                    let port = 1 + dice.below(8) as u16;
                    if leases
                        .register(instance(&service, &id, port), clock.now)
                        .is_ok()
                    {
                        let listed = states(&leases, &service);
                        heard.retain(|(of, id), _| {
                            *of != service || listed.iter().any(|(listed, _)| listed == id)
                        });
                        heard.insert(key, clock.now);
                    }
                }
                3..=5 => {
                    if leases.renew(&name(&service), &name(&id), clock.now) {
                        heard.insert(key, clock.now);
                    }
                }
                6 => {
                    leases.deregister(&name(&service), &name(&id), clock.now);
                    heard.remove(&key);
                }
                _ => {
                    let step = Duration::from_millis(dice.below(1500));
                    clock.pass(&mut leases, step);
                }
            }
            check(&leases, &clock, &heard, &mut seen, seed);
        }
    }
}

fn check(
    leases: &Leases,
    clock: &Clock,
    heard: &BTreeMap<(String, String), Instant>,
    seen: &mut BTreeMap<String, View>,
    seed: u64,
) {
    let up: Vec<_> = leases
        .all()
        .into_iter()
        .filter(|listed| listed.state == UP)
        .map(|listed| {
            (
                listed.instance.service.to_string(),
                listed.instance.id.to_string(),
            )
        })
        .collect();
    let holds = |(_, at): &(&(String, String), &Instant)| **at + TTL > clock.now;
    let expected: Vec<_> = heard
        .iter()
        .filter(holds)
        .map(|(key, _)| key.clone())
        .collect();
    assert_eq!(up, expected, "seed {seed}");

    for service in ["s0", "s1", "s2"] {
        let view = leases.view(&name(service));
        let places: Vec<_> = view
            .instances
            .iter()
            .map(|listed| listed.instance.address)
            .collect();
        let distinct: std::collections::BTreeSet<_> = places.iter().collect();
        assert_eq!(distinct.len(), places.len(), "seed {seed}: {places:?}");
        assert!(
            places.len() <= limits().instances_per_service,
            "seed {seed}"
        );
        if let Some(before) = seen.insert(service.to_owned(), view.clone()) {
            assert!(view.revision >= before.revision, "seed {seed}");
            assert_eq!(
                view == before,
                view.revision == before.revision,
                "seed {seed}: {view:?}"
            );
        }
    }
    assert!(
        leases.next_change().is_none_or(|next| next > clock.now),
        "seed {seed}"
    );
}
