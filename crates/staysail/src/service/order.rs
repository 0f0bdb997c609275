//! In which order services start: each after those it needs.

use super::{Definition, names};
use crate::command::{Kind, Need};
use std::any::TypeId;

/// Positions of `services` in the order they start; among those that do not need each other, the order they were added
/// in. `given` says whether the app has what a service needs and no service is.
///
/// # Errors
/// A sentence that names the chain: two of one kind, a circle, or something nobody gave.
pub fn order(services: &[Definition], given: impl Fn(&Need) -> bool) -> Result<Vec<usize>, String> {
    for (index, service) in services.iter().enumerate() {
        let before = &services[..index];
        if before.iter().any(|other| other.ty == service.ty) {
            return Err(format!("the service `{}` was added twice", service.name));
        }
        if let Some(other) = before.iter().find(|other| other.name == service.name) {
            let (one, two) = (other.type_name, service.type_name);
            return Err(format!(
                "two services are named `{}`: `{one}` and `{two}`; give one another name with \
                 `#[service(name = \"…\")]`",
                service.name
            ));
        }
    }
    let mut walk = Walk { services, given: &given, chain: Vec::new(), order: Vec::new() };
    for index in 0..services.len() {
        walk.visit(index)?;
    }
    Ok(walk.order)
}

struct Walk<'a> {
    services: &'a [Definition],
    given: &'a dyn Fn(&Need) -> bool,
    /// Services on the way to the one that is visited.
    chain: Vec<usize>,
    order: Vec<usize>,
}

impl Walk<'_> {
    fn visit(&mut self, index: usize) -> Result<(), String> {
        if self.order.contains(&index) {
            return Ok(());
        }
        if let Some(begin) = self.chain.iter().position(|visited| *visited == index) {
            let circle = self.said(self.chain[begin..].iter().chain([&index]));
            return Err(format!(
                "services need each other in a circle: {circle}; let one of them ask for the other when it is called, \
                 with `AppHandle::state`"
            ));
        }
        self.chain.push(index);
        for need in (self.services[index].needs)().into_iter().flatten() {
            match self.position(need.ty).filter(|_| need.kind == Kind::State) {
                Some(needed) => self.visit(needed)?,
                None if (self.given)(&need) => {}
                None => {
                    let how = need.kind.how();
                    return Err(format!(
                        "the service {} needs a {} that the app was never given; give it with {how}",
                        self.said(&self.chain),
                        need.name
                    ));
                }
            }
        }
        self.chain.pop();
        self.order.push(index);
        Ok(())
    }

    fn position(&self, ty: TypeId) -> Option<usize> {
        self.services.iter().position(|service| service.ty == ty)
    }

    /// `a` → `b` → `c`.
    fn said<'b>(&self, chain: impl IntoIterator<Item = &'b usize>) -> String {
        let names = names(self.services);
        let said = chain.into_iter().map(|index| format!("`{}`", names[&self.services[*index].ty]));
        said.collect::<Vec<_>>().join(" → ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Work;

    struct A;
    struct B;
    struct C;
    struct Given;

    fn need<T: 'static>() -> Option<Need> {
        Some(Need { ty: TypeId::of::<T>(), name: std::any::type_name::<T>(), kind: Kind::State })
    }

    fn service<T: 'static>(name: &'static str, needs: fn() -> Vec<Option<Need>>) -> Definition {
        Definition {
            name,
            ty: TypeId::of::<T>(),
            type_name: std::any::type_name::<T>(),
            needs,
            start: |_| Ok(Work::Blocking(Box::new(|| Err("never started".into())))),
            stop: None,
            commands: Vec::new,
        }
    }

    fn names_in_order(services: &[Definition]) -> Result<Vec<&'static str>, String> {
        let given = |need: &Need| need.ty == TypeId::of::<Given>();
        Ok(order(services, given)?.into_iter().map(|index| services[index].name).collect())
    }

    #[test]
    fn each_starts_after_what_it_needs_whatever_order_they_were_added_in() {
        let a = || service::<A>("a", || vec![need::<B>(), need::<Given>()]);
        let b = || service::<B>("b", || vec![need::<C>()]);
        let c = || service::<C>("c", || vec![None]);
        assert_eq!(names_in_order(&[a(), b(), c()]).unwrap(), ["c", "b", "a"]);
        assert_eq!(names_in_order(&[c(), a(), b()]).unwrap(), ["c", "b", "a"]);
    }

    #[test]
    fn those_that_do_not_need_each_other_start_as_they_were_added() {
        let [c, a, b] =
            [service::<C>("c", Vec::new), service::<A>("a", Vec::new), service::<B>("b", Vec::new)];
        assert_eq!(names_in_order(&[c, a, b]).unwrap(), ["c", "a", "b"]);
    }

    #[test]
    fn a_circle_is_named_from_its_beginning_to_its_end() {
        let services = [
            service::<A>("a", || vec![need::<B>()]),
            service::<B>("b", || vec![need::<C>()]),
            service::<C>("c", || vec![need::<B>()]),
        ];
        let error = names_in_order(&services).unwrap_err();
        assert!(error.contains("circle: `b` → `c` → `b`;"), "{error}");
        let alone = names_in_order(&[service::<A>("a", || vec![need::<A>()])]).unwrap_err();
        assert!(alone.contains("circle: `a` → `a`;"), "{alone}");
    }

    #[test]
    fn what_nobody_gave_is_named_with_the_chain_that_leads_to_it() {
        let services = [service::<A>("a", || vec![need::<B>()]), service::<B>("b", || vec![need::<C>()])];
        let error = names_in_order(&services).unwrap_err();
        assert!(error.contains("the service `a` → `b` needs a "), "{error}");
        assert!(error.contains("::C that") && error.contains("App::service"), "{error}");
    }

    #[test]
    fn two_of_one_type_or_of_one_name_are_refused() {
        let twice = [service::<A>("a", Vec::new), service::<A>("b", Vec::new)];
        assert!(names_in_order(&twice).unwrap_err().contains("added twice"));
        let error = names_in_order(&[service::<A>("a", Vec::new), service::<B>("a", Vec::new)]).unwrap_err();
        assert!(error.contains("named `a`") && error.contains("::B`"), "{error}");
    }
}
