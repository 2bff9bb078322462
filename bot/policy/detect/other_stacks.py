"""Stacks whose tools the default image lacks: named, and run where the project names an image."""

from __future__ import annotations

import re

from bot.policy.detect.found import Detected, Found
from bot.policy.detect.source_code import health_route, port_in_source, reads_port_variable
from bot.policy.detect.tree import Tree, table


def detect_other(tree: Tree) -> Detected | None:
    """The first of Go, Rust, Java, Ruby and PHP whose manifest lies at the root."""
    for look in (_go, _rust, _maven, _gradle, _ruby, _php):
        found = look(tree)
        if found is not None:
            return found
    return None


def _go(tree: Tree) -> Detected | None:
    if not tree.has("go.mod"):
        return None
    source = tree.text("main.go")
    port = port_in_source(source) or (8080 if reads_port_variable(source) else None)
    tested = any(path.endswith("_test.go") for path in tree.paths)
    route = health_route(source)
    return Detected(
        stack="Go",
        needs_image="Go",
        install=Found("go mod download", "go.mod"),
        build=Found("go build ./...", "go.mod"),
        test=Found("go test ./...", "go.mod") if tested else None,
        start=Found("go run .", "main.go") if port else None,
        port=Found(port, "main.go") if port else None,
        health_path=Found(route or "/", "main.go") if port else None,
        locked=tree.has("go.sum"),
    )


def _rust(tree: Tree) -> Detected | None:
    if not tree.has("Cargo.toml"):
        return None
    locked = tree.has("Cargo.lock")
    flag = " --locked" if locked else ""
    return Detected(
        stack="Rust",
        needs_image="Rust",
        install=Found(f"cargo fetch{flag}", "Cargo.toml"),
        build=Found("cargo build --offline", "Cargo.toml"),
        test=Found("cargo test --offline", "Cargo.toml"),
        locked=locked,
    )


def _maven(tree: Tree) -> Detected | None:
    if not tree.has("pom.xml"):
        return None
    maven = "sh ./mvnw" if tree.has("mvnw") else "mvn"
    return Detected(
        stack="Java (Maven)",
        needs_image="Java",
        install=Found(f"{maven} -B dependency:go-offline", "pom.xml"),
        build=Found(f"{maven} -B -o -DskipTests package", "pom.xml"),
        test=Found(f"{maven} -B -o verify", "pom.xml"),
        needs_source=True,
    )


def _gradle(tree: Tree) -> Detected | None:
    script = tree.first("build.gradle.kts", "build.gradle")
    if script is None:
        return None
    gradle = "sh ./gradlew" if tree.has("gradlew") else "gradle"
    return Detected(
        stack="Java (Gradle)",
        needs_image="Java",
        install=Found(f"{gradle} --no-daemon testClasses", script),
        build=Found(f"{gradle} --no-daemon --offline assemble", script),
        test=Found(f"{gradle} --no-daemon --offline test", script),
        needs_source=True,
    )


def _ruby(tree: Tree) -> Detected | None:
    if not tree.has("Gemfile"):
        return None
    gems = tree.text("Gemfile")
    test: Found[str] | None = None
    if tree.has("bin/rails") and any(path.startswith("test/") for path in tree.paths):
        test = Found("bin/rails test", "bin/rails")
    elif "rspec" in gems and any(path.startswith("spec/") for path in tree.paths):
        test = Found("bundle exec rspec", "Gemfile")
    elif tree.has("Rakefile"):
        test = Found("bundle exec rake test", "Rakefile")
    rails = tree.has("bin/rails")
    return Detected(
        stack="Ruby on Rails" if rails else "Ruby",
        needs_image="Ruby",
        install=Found("bundle install", "Gemfile"),
        test=test,
        start=Found("bin/rails server -b 127.0.0.1 -p 3000", "bin/rails") if rails else None,
        port=Found(3000, "bin/rails") if rails else None,
        health_path=Found("/up", "bin/rails") if rails else None,
        fallback_path="/" if rails else None,
        locked=tree.has("Gemfile.lock"),
    )


def _php(tree: Tree) -> Detected | None:
    manifest = tree.json("composer.json")
    if not manifest:
        return None
    start: Found[str] | None = None
    if tree.has("artisan"):
        start = Found("php artisan serve --host 127.0.0.1 --port 8000", "artisan")
    elif tree.has("public/index.php"):
        start = Found("php -S 127.0.0.1:8000 -t public", "public/index.php")
    test: Found[str] | None = None
    if "test" in table(manifest, "scripts"):
        test = Found("composer test", "composer.json")
    elif "phpunit/phpunit" in table(manifest, "require-dev"):
        test = Found("vendor/bin/phpunit", "composer.json")
    return Detected(
        stack="PHP (Laravel)" if tree.has("artisan") else "PHP",
        needs_image="PHP",
        install=Found("composer install --no-interaction", "composer.json"),
        test=test,
        start=start,
        port=Found(8000, start.origin) if start else None,
        health_path=Found("/", start.origin) if start else None,
        locked=tree.has("composer.lock"),
        needs_source=bool(re.search("autoload|post-install", str(table(manifest, "scripts")))),
    )
