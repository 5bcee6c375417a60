//! Which deployment answers a request.

use atoll_runtime::Deployment;

/// One way to a deployment.
#[derive(Debug, Clone)]
pub struct Route {
    /// The host name, in lower case and without port; `None` for all hosts that no other route names.
    pub host: Option<String>,
    /// Who answers.
    pub deployment: Deployment,
}

/// All ways.
#[derive(Debug, Clone, Default)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Routes in order of precedence among those that fit equally well.
    pub fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The deployment for a host, as a request names it: with or without port, in any case.
    pub fn find(&self, host: &str) -> Option<&Deployment> {
        let name = without_port(host);
        let named =
            self.0.iter().find(|route| route.host.as_deref().is_some_and(|host| host.eq_ignore_ascii_case(name)));
        let route = named.or_else(|| self.0.iter().find(|route| route.host.is_none()))?;
        Some(&route.deployment)
    }

    /// The routes.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }
}

/// `[::1]:80` → `[::1]`, `a.example:80` → `a.example`.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(colon) if !host[colon..].contains(']') => &host[..colon],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_port_is_not_part_of_the_name() {
        for (host, name) in
            [("a.example:80", "a.example"), ("a.example", "a.example"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]")]
        {
            assert_eq!(without_port(host), name);
        }
    }
}
