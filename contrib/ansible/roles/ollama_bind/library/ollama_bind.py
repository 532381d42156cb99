#!/usr/bin/python
# -*- coding: utf-8 -*-
"""Runs ollama-bind on one Mac, and tells Ansible what came of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ollama_bind
short_description: Bind Homebrew's Ollama service to an address, or take that back
description:
  - Runs C(ollama-bind fix) or C(ollama-bind rollback) on a Mac, as the user whose service it is.
  - A Mac that is in the wanted state already is left alone.
  - In check mode nothing is changed; C(ollama-bind fix --dry-run) and C(ollama-bind rollback --all --dry-run) say what would be.
    A Mac without ollama-bind is skipped then, since an earlier task of the play may be about to put it there.
author: The ollama-bind authors
requirements:
  - ollama-bind on the Mac
options:
  state:
    description:
      - C(bound) sets C(OLLAMA_HOST), restarts the service, and proves that it listens; if it does not, all is put back.
      - C(unbound) takes back every C(fix) that is in effect. It fails when Ollama still listens on C(host) after that,
        because then somebody else has bound it.
    type: str
    choices: [bound, unbound]
    default: bound
  host:
    description: The address for Ollama to listen on, or to leave.
    type: str
    default: 0.0.0.0:11434
  timeout:
    description: How many seconds a C(fix) or a C(rollback) may take, undoing included.
    type: int
    default: 30
  persist:
    description: Whether to write Homebrew's env file too. Without it the next C(brew services restart) drops the setting.
    type: bool
    default: true
  restart:
    description: Whether to restart the running service. Without that only the files are written.
    type: bool
    default: true
  force:
    description: Whether to take a C(fix) back although somebody has changed the files since.
    type: bool
    default: false
  missing:
    description: What to do with a Mac that should be bound and has no Ollama service.
    type: str
    choices: [fail, skip]
    default: fail
  executable:
    description: Name or path of ollama-bind. A name is looked for on C(PATH), and where Homebrew and Go put programs.
    type: str
    default: ollama-bind
notes:
  - Supports C(check_mode) and C(diff_mode).
  - Run it as the user whose service it is, not as root.
"""

EXAMPLES = r"""
- name: Bind Ollama on every Mac, but on those that have none
  ollama_bind:
    missing: skip

- name: Take it back
  ollama_bind:
    state: unbound
"""

RETURN = r"""
exit_code:
  description: What the last ollama-bind has exited with.
  returned: when ollama-bind was run
  type: int
report:
  description: The JSON object that the last ollama-bind has answered with; docs/schema says what is in it.
  returned: success
  type: dict
error:
  description: The error of that object, with the end of Ollama's log where that may explain it.
  returned: failure of ollama-bind
  type: dict
socket:
  description: Where Ollama listens.
  returned: when there is a service
  type: str
  sample: "*:11434"
steps:
  description: What launchd would be told.
  returned: in check mode
  type: list
  elements: str
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

# What ollama-bind exits with.
NOT_WANTED = 3
NOTHING_HERE = 5


class Mac:
    """One Mac, and what was found and done there."""

    def __init__(self, module):
        self.module = module
        self.args = module.params
        self.result = {"changed": False}
        self.warnings = {}
        self.program = module.get_bin_path(
            self.args["executable"],
            opt_dirs=["/opt/homebrew/bin", "/usr/local/bin", os.path.expanduser("~/go/bin")],
        )
        if self.program is None:
            missing = "%s was not found on this Mac; put it there first" % self.args["executable"]
            if module.check_mode:  # an earlier task of the play may be about to do so
                module.exit_json(skipped=True, msg=missing)
            module.fail_json(msg=missing)

    def run(self, *command):
        """Runs ollama-bind, and returns its exit code and its JSON object."""
        code, out, err = self.module.run_command([self.program] + list(command) + ["--json"])
        try:
            report = json.loads(out)
            answered = report["command"] == command[0]
        except (ValueError, TypeError, KeyError):
            answered = False
        if not answered:
            self.module.fail_json(msg="%s does not answer as ollama-bind %s does (exit code %d)" % (self.program, command[0], code),
                                  stdout=out, stderr=err)
        self.result.update(exit_code=code, report=report)
        for warning in report.get("warnings", []):
            self.warnings[warning["id"]] = warning["message"]
        socket = value(report, "socket")
        if socket is not None:
            self.result["socket"] = socket
        return code, report

    def fail(self, report):
        """Ends with the tool's own words: what is wrong, and what to do."""
        error = report.get("error") or {"id": "failed", "message": "ollama-bind gave no reason", "hint": ""}
        message = error["message"]
        if error["hint"]:
            message += "; hint: " + error["hint"]
        del self.result["report"]  # the rest would only hide it
        self.end(self.module.fail_json, msg=message, error=error)

    def done(self):
        self.end(self.module.exit_json)

    def end(self, how, **more):
        for message in self.warnings.values():
            self.module.warn(message)
        how(**dict(self.result, **more))

    def show(self, **diff):
        if self.module._diff:
            self.result["diff"] = diff

    # bound

    def bind(self):
        flags = ["fix", "--host", self.args["host"], "--timeout", "%ds" % self.args["timeout"]]
        if not self.args["persist"]:
            flags.append("--no-persist")
        if not self.args["restart"]:
            flags.append("--no-restart")
        if self.module.check_mode or self.module._diff:
            would, steps = self.preview(flags)
        if self.module.check_mode:
            self.result.update(changed=would, steps=steps)
            self.done()
        code, report = self.run(*flags)
        self.result["changed"] = report["changed"] and not report["rolled_back"]
        self.settle(code, report, fine=[0])
        self.done()

    def preview(self, flags):
        """Only a dry run tells what the files will look like."""
        code, report = self.run(*(flags + ["--dry-run"]))
        self.settle(code, report, fine=[0, NOT_WANTED])
        self.show(prepared=report["diff"])
        return code == NOT_WANTED, report.get("steps", [])

    def settle(self, code, report, fine):
        if code in fine:
            return
        if code == NOTHING_HERE and self.args["missing"] == "skip":
            self.end(self.module.exit_json, skipped=True, msg=report["error"]["message"])
        self.fail(report)

    # unbound

    def unbind(self):
        flags = ["rollback", "--all", "--timeout", "%ds" % self.args["timeout"]]
        if self.args["force"]:
            flags.append("--force")
        if self.module.check_mode or self.module._diff:
            code, report = self.run(*(flags + ["--dry-run"]))
            self.unbound(code, report, fine=[0, NOT_WANTED])
            every = report.get("others", []) + [report]
            self.show(prepared="".join(r["diff"] for r in every))
            self.result["changed"] = code == NOT_WANTED
        if self.module.check_mode:
            self.result["steps"] = [step for r in every for step in r.get("steps", [])]
            if not self.result["changed"]:
                self.still_bound(self.status()[0])
            self.done()
        code, report = self.run(*flags)
        self.result["changed"] = report["changed"]
        self.unbound(code, report, fine=[0])
        self.still_bound(self.status()[0])
        self.done()

    def unbound(self, code, report, fine):
        if code not in fine and report["error"]["id"] not in ("no-backup", "no-agent", "no-launchctl"):
            self.fail(report)

    def status(self):
        code, report = self.run("status", "--host", self.args["host"])
        if code not in (0, NOT_WANTED, NOTHING_HERE):
            self.fail(report)
        return code, report

    def still_bound(self, code):
        if code == 0:
            message = "Ollama still listens on %s, and not because of a fix that could be taken back" % self.args["host"]
            self.fail({"error": {"id": "still-bound", "message": message, "hint": "ollama-bind doctor"}})


def value(report, name):
    """The value of one of the four layers."""
    for layer in report.get("layers", []):
        if layer["name"] == name:
            return layer["value"]
    return None


def main():
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["bound", "unbound"], "default": "bound"},
            "host": {"type": "str", "default": "0.0.0.0:11434"},
            "timeout": {"type": "int", "default": 30},
            "persist": {"type": "bool", "default": True},
            "restart": {"type": "bool", "default": True},
            "force": {"type": "bool", "default": False},
            "missing": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "executable": {"type": "str", "default": "ollama-bind"},
        },
        supports_check_mode=True,
    )
    mac = Mac(module)
    if module.params["state"] == "bound":
        mac.bind()
    mac.unbind()


if __name__ == "__main__":
    main()
