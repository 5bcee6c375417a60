//! The names that a CommonJS file will export, read off its syntax tree.
//!
//! `import { x } from './file.cjs'` must know before the file runs whether there is an `x`. Node guesses with a scanner
//! of its own (`cjs-module-lexer`); what that detects is found here too, and a little more, since a tree tells where a
//! property's value ends. Found, at any depth and whatever `exports` is bound to there, as bundlers wrap modules:
//!
//! * `exports.a =`, `exports['a'] =`, `module.exports.a =`
//! * `Object.defineProperty(exports, 'a', { value })`, or `{ get }` with a getter that only returns a name or a property,
//!   unless it says `enumerable: false`
//! * `module.exports = { a, b: 1, 'c': 2, d() {}, ...require('e') }`, also after `0 &&` as compilers hint
//! * `module.exports = require('a')`; the last such assignment counts, as in Node. After `require('a').b` the names of `a`
//!   are a guess, which Node makes, too: those that are not there are `undefined`
//! * `__exportStar(require('a'), exports)` of TypeScript, tslib and SWC, `__export(require('a'))` of older ones
//! * `Object.keys(a).forEach(key => { exports[key] = a[key] })` of Babel, with `a = require('a')` or a call of it
//! * `__export(names, { a: () => a })` with `module.exports = __toCommonJS(names)` of esbuild, `_export(exports, {…})` of SWC

use super::cache::MAX_NAMES;
use oxc::ast::ast::{
    Argument, AssignmentExpression, AssignmentOperator, AssignmentTarget, BindingPattern, CallExpression, Expression,
    Function, FunctionBody, ObjectExpression, ObjectPropertyKind, Program, PropertyKey, PropertyKind, Statement,
    VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};
use std::collections::{HashMap, HashSet};

/// Exported names and reexported modules of a CommonJS file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CommonJsExports {
    /// Names in the order found, each once; `default` and `__esModule` may be among them.
    pub(super) names: Vec<String>,
    /// Specifiers of modules all of whose names are exported, too.
    pub(super) reexports: Vec<String>,
}

/// Reads the names off the tree of a CommonJS file.
pub(super) fn analyze(program: &Program<'_>) -> CommonJsExports {
    let mut analysis = Analysis::default();
    analysis.visit_program(program);
    CommonJsExports { names: analysis.names, reexports: analysis.reexports }
}

#[derive(Default)]
struct Analysis<'a> {
    names: Vec<String>,
    known: HashSet<String>,
    reexports: Vec<String>,
    /// Variables that hold what a `require` returned, wrapped by a helper or not: variable to specifier.
    required: HashMap<&'a str, &'a str>,
    /// Objects that esbuild's `__export` defines getters on: variable to names.
    defined: HashMap<&'a str, Vec<String>>,
}

impl<'a> Visit<'a> for Analysis<'a> {
    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'a>) {
        if let BindingPattern::BindingIdentifier(variable) = &declarator.id
            && let Some(specifier) = declarator.init.as_ref().and_then(wrapped_require)
        {
            self.required.insert(variable.name.as_str(), specifier);
        }
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if assignment.operator == AssignmentOperator::Assign {
            self.assign(&assignment.left, &assignment.right);
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.call(call);
        walk::walk_call_expression(self, call);
    }
}

impl<'a> Analysis<'a> {
    fn add(&mut self, name: &str) {
        if self.names.len() < MAX_NAMES && self.known.insert(name.to_owned()) {
            self.names.push(name.to_owned());
        }
    }

    fn reexport(&mut self, specifier: &str) {
        if self.reexports.len() < MAX_NAMES && !self.reexports.iter().any(|known| known == specifier) {
            self.reexports.push(specifier.to_owned());
        }
    }

    fn assign(&mut self, target: &AssignmentTarget<'a>, value: &Expression<'a>) {
        match target {
            AssignmentTarget::StaticMemberExpression(member) => {
                if is_exports(&member.object) {
                    self.add(member.property.name.as_str());
                } else if member.property.name == "exports" && is_name(&member.object, "module") {
                    self.replace(value);
                }
            }
            AssignmentTarget::ComputedMemberExpression(member) if is_exports(&member.object) => {
                if let Expression::StringLiteral(name) = &member.expression
                    && !name.lone_surrogates
                {
                    self.add(name.value.as_str());
                }
            }
            AssignmentTarget::AssignmentTargetIdentifier(variable) => {
                if let Some(specifier) = wrapped_require(value) {
                    self.required.insert(variable.name.as_str(), specifier);
                }
            }
            _ => {}
        }
    }

    /// `module.exports = value`
    fn replace(&mut self, value: &Expression<'a>) {
        // What was assigned before is gone; names that are set one by one are kept, as they may be set later.
        self.reexports.clear();
        let mut value = value;
        while let Expression::AssignmentExpression(inner) = value {
            value = &inner.right;
        }
        match value {
            Expression::ObjectExpression(object) => self.literal(object),
            Expression::CallExpression(call) if is_callee(call, &["__toCommonJS"]) => {
                if let Some(Argument::Identifier(object)) = call.arguments.first() {
                    for name in self.defined.get(object.name.as_str()).cloned().unwrap_or_default() {
                        self.add(&name);
                    }
                }
            }
            _ => {
                if let Some(specifier) = leading_require(value) {
                    self.reexport(specifier);
                }
            }
        }
    }

    fn literal(&mut self, object: &ObjectExpression<'a>) {
        for property in &object.properties {
            match property {
                ObjectPropertyKind::SpreadProperty(spread) => match &spread.argument {
                    Expression::CallExpression(call) => {
                        if let Some(specifier) = require_call(call) {
                            self.reexport(specifier);
                        }
                    }
                    Expression::Identifier(variable) => {
                        if let Some(specifier) = self.required.get(variable.name.as_str()).copied() {
                            self.reexport(specifier);
                        }
                    }
                    _ => {}
                },
                // Getters may have effects, and are read only when the importer asks for them.
                ObjectPropertyKind::ObjectProperty(property) if property.kind == PropertyKind::Init => {
                    if let Some(name) = key_name(&property.key, property.computed).filter(|name| *name != "__proto__") {
                        self.add(name);
                    }
                }
                ObjectPropertyKind::ObjectProperty(_) => {}
            }
        }
    }

    fn call(&mut self, call: &CallExpression<'a>) {
        if is_callee(call, &["__exportStar", "__export", "_export_star", "_exportStar", "_export"]) {
            self.export_helper(call);
            return;
        }
        let Expression::StaticMemberExpression(callee) = &call.callee else { return };
        match callee.property.name.as_str() {
            "defineProperty" if is_name(&callee.object, "Object") => self.define_property(call),
            "forEach" => self.for_each_key(&callee.object, call),
            _ => {}
        }
    }

    /// `__exportStar(require('a'), exports)`, `__export(require('a'))`, `__export(object, { a: () => a })`
    fn export_helper(&mut self, call: &CallExpression<'a>) {
        match (call.arguments.first(), call.arguments.get(1)) {
            (Some(Argument::CallExpression(required)), _) => {
                if let Some(specifier) = require_call(required) {
                    self.reexport(specifier);
                }
            }
            (Some(Argument::Identifier(variable)), Some(Argument::ObjectExpression(object))) => {
                let names = object.properties.iter().filter_map(|property| match property {
                    ObjectPropertyKind::ObjectProperty(property) => key_name(&property.key, property.computed),
                    ObjectPropertyKind::SpreadProperty(_) => None,
                });
                if variable.name == "exports" {
                    for name in names {
                        self.add(name);
                    }
                } else {
                    let names = names.map(str::to_owned).take(MAX_NAMES).collect();
                    self.defined.insert(variable.name.as_str(), names);
                }
            }
            (Some(Argument::Identifier(variable)), _) => {
                if let Some(specifier) = self.required.get(variable.name.as_str()).copied() {
                    self.reexport(specifier);
                }
            }
            _ => {}
        }
    }

    fn define_property(&mut self, call: &CallExpression<'a>) {
        let [target, Argument::StringLiteral(name), Argument::ObjectExpression(descriptor)] = &call.arguments[..]
        else {
            return;
        };
        if target.as_expression().is_some_and(is_exports) && !name.lone_surrogates && is_exported(descriptor) {
            self.add(name.value.as_str());
        }
    }

    /// `Object.keys(a).forEach(function (key) { … exports[key] = a[key] … })`
    fn for_each_key(&mut self, receiver: &Expression<'a>, call: &CallExpression<'a>) {
        let Expression::CallExpression(keys) = receiver else { return };
        let Expression::StaticMemberExpression(callee) = &keys.callee else { return };
        if callee.property.name != "keys" || !is_name(&callee.object, "Object") {
            return;
        }
        let Some(Argument::Identifier(variable)) = keys.arguments.first() else { return };
        let Some(specifier) = self.required.get(variable.name.as_str()).copied() else { return };
        let parameters = match call.arguments.first() {
            Some(Argument::FunctionExpression(function)) => &function.params,
            Some(Argument::ArrowFunctionExpression(arrow)) => &arrow.params,
            _ => return,
        };
        let Some(BindingPattern::BindingIdentifier(key)) = parameters.items.first().map(|first| &first.pattern) else {
            return;
        };
        let mut copies = CopiesKeys { key: key.name.as_str(), found: false };
        copies.visit_argument(&call.arguments[0]);
        if copies.found {
            self.reexport(specifier);
        }
    }
}

/// Looks for `exports[key] = …` and `Object.defineProperty(exports, key, …)`.
struct CopiesKeys<'a> {
    key: &'a str,
    found: bool,
}

impl<'a> Visit<'a> for CopiesKeys<'a> {
    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'a>) {
        if let AssignmentTarget::ComputedMemberExpression(member) = &assignment.left {
            self.found |= is_exports(&member.object) && is_name(&member.expression, self.key);
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let [target, key, ..] = &call.arguments[..]
            && is_callee(call, &["defineProperty"])
        {
            self.found |= target.as_expression().is_some_and(is_exports)
                && key.as_expression().is_some_and(|key| is_name(key, self.key));
        }
        walk::walk_call_expression(self, call);
    }
}

fn is_name(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::Identifier(identifier) if identifier.name == name)
}

/// `exports` or `module.exports`
fn is_exports(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::Identifier(identifier) => identifier.name == "exports",
        Expression::StaticMemberExpression(member) => {
            member.property.name == "exports" && is_name(&member.object, "module")
        }
        _ => false,
    }
}

/// Whether a function of one of these names is called: `name(…)`, `tslib.name(…)`, `(0, tslib.name)(…)`.
fn is_callee(call: &CallExpression<'_>, names: &[&str]) -> bool {
    let mut callee = &call.callee;
    if let Expression::SequenceExpression(sequence) = callee
        && let Some(last) = sequence.expressions.last()
    {
        callee = last;
    }
    match callee {
        Expression::Identifier(identifier) => names.contains(&identifier.name.as_str()),
        Expression::StaticMemberExpression(member) => names.contains(&member.property.name.as_str()),
        _ => false,
    }
}

/// The specifier of `require('specifier')`.
fn require_call<'a>(call: &CallExpression<'a>) -> Option<&'a str> {
    match &call.arguments[..] {
        [Argument::StringLiteral(specifier)] if is_name(&call.callee, "require") => Some(specifier.value.as_str()),
        _ => None,
    }
}

/// The specifier of `require('specifier')`, also where the expression goes on: `require('specifier').a.b()`.
fn leading_require<'a>(mut expression: &Expression<'a>) -> Option<&'a str> {
    loop {
        expression = match expression {
            Expression::CallExpression(call) => match require_call(call) {
                Some(specifier) => return Some(specifier),
                None => &call.callee,
            },
            Expression::StaticMemberExpression(member) => &member.object,
            Expression::ComputedMemberExpression(member) => &member.object,
            _ => return None,
        }
    }
}

/// The specifier of `require('specifier')` or `helper(require('specifier'), …)`.
fn wrapped_require<'a>(expression: &Expression<'a>) -> Option<&'a str> {
    let Expression::CallExpression(call) = expression else { return None };
    require_call(call).or_else(|| match call.arguments.first() {
        Some(Argument::CallExpression(inner)) => require_call(inner),
        _ => None,
    })
}

fn key_name<'b>(key: &'b PropertyKey<'_>, computed: bool) -> Option<&'b str> {
    match key {
        PropertyKey::StaticIdentifier(identifier) => Some(identifier.name.as_str()),
        PropertyKey::StringLiteral(name) if !computed && !name.lone_surrogates => Some(name.value.as_str()),
        _ => None,
    }
}

/// Whether a property with this descriptor is exported: it has a value, or a getter without effects and is not hidden.
fn is_exported(descriptor: &ObjectExpression<'_>) -> bool {
    let mut enumerable = true;
    let mut safe_getter = false;
    for property in &descriptor.properties {
        let ObjectPropertyKind::ObjectProperty(property) = property else { return false };
        match key_name(&property.key, property.computed) {
            Some("value") => return true,
            Some("enumerable") => {
                // `true`, or `!0` as minifiers write it.
                enumerable = match &property.value {
                    Expression::BooleanLiteral(literal) => literal.value,
                    Expression::UnaryExpression(_) => true,
                    _ => false,
                };
            }
            Some("get") => {
                safe_getter = match &property.value {
                    Expression::FunctionExpression(function) => returns_name(function),
                    Expression::ArrowFunctionExpression(arrow) => {
                        arrow.get_expression().is_some_and(is_name_or_property)
                            || arrow.get_function_body().is_some_and(body_returns_name)
                    }
                    _ => false,
                };
            }
            _ => {}
        }
    }
    enumerable && safe_getter
}

fn returns_name(function: &Function<'_>) -> bool {
    function.body.as_ref().is_some_and(|body| body_returns_name(body))
}

fn body_returns_name(body: &FunctionBody<'_>) -> bool {
    match &body.statements[..] {
        [Statement::ReturnStatement(statement)] => statement.argument.as_ref().is_some_and(is_name_or_property),
        _ => false,
    }
}

/// `a`, `a.b`, `a['b']`
fn is_name_or_property(expression: &Expression<'_>) -> bool {
    let object = match expression {
        Expression::Identifier(_) => return true,
        Expression::StaticMemberExpression(member) => &member.object,
        Expression::ComputedMemberExpression(member) if matches!(member.expression, Expression::StringLiteral(_)) => {
            &member.object
        }
        _ => return false,
    };
    matches!(object, Expression::Identifier(_))
}
