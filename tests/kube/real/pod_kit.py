"""What a kubelet does for one container, as far as a program in it can see: volumes, environment, rights. No container runtime is needed:
the container is a process with a mount namespace, a root of its own and no capability.

  pod = Pod(case, kube, manifest, node="node-1", host=FOLDER)      # FOLDER stands for / of the node: FOLDER/var/log is its /var/log
  pod.start(program)                  # runs it with the args of the manifest; pod.process, pod.errors()
  pod.sync()                          # what changed in ConfigMaps and Secrets appears in the volumes, as the kubelet makes it appear

Needs root, or a kernel that gives a user a mount namespace; available() says so.
"""
import base64
import os
import pathlib
import shutil
import subprocess

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"

# $1: the root; $2: the program; $3: a file with a line "SOURCE|TARGET|ro" or "…|rw" for each mount; then the arguments.
SCRIPT = r"""
set -e
root=$1 program=$2 mounts=$3
shift 3
mount --make-rprivate / 2> /dev/null || true
mount -t tmpfs -o mode=755 none "$root"
mkdir -p "$root"/usr "$root"/proc "$root"/dev "$root"/etc
# The image: what the program is linked with, and nothing that can be written.
mount --rbind /usr "$root/usr"
for folder in bin sbin lib lib64; do [ ! -L "/$folder" ] || ln -s "usr/$folder" "$root/$folder"; done
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for file in ld.so.cache hosts nsswitch.conf resolv.conf; do [ ! -e "/etc/$file" ] || cp -L "/etc/$file" "$root/etc/$file"; done
touch "$root/program"
mount --bind "$program" "$root/program"
while IFS='|' read -r source target mode; do
  mkdir -p "$root$target"
  mount --rbind "$source" "$root$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$root$target"
done < "$mounts"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/setpriv --no-new-privs --bounding-set=-all --inh-caps=-all /program "$@"
"""


def namespace_prefix():
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def available():
    tried = subprocess.run([*namespace_prefix(), "mount", "-t", "tmpfs", "none", "/mnt"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return tried.returncode == 0 and shutil.which("setpriv") is not None


class Pod:
    """A container that `manifest` (a Pod with one container) describes. The ConfigMaps and Secrets that it names are at `kube`."""

    def __init__(self, case, kube, manifest, node, host):
        self.case, self.kube, self.node, self.host = case, kube, node, pathlib.Path(host)
        self.namespace, self.spec = manifest["metadata"]["namespace"], manifest["spec"]
        self.container, = self.spec["containers"]
        self.dir = case.dir / f"pod-{os.urandom(4).hex()}"
        self.dir.mkdir()
        self.process = None

    # ---- volumes ------------------------------------------------------------------------------------------------------

    def data(self, kind, name):
        """What an object of this kind (configmaps, secrets) holds, as bytes."""
        found = self.kube.ask("GET", f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")
        if kind == "secrets":
            return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}
        return {key: value.encode() for key, value in found.get("data", {}).items()}

    def files(self, volume):
        """{name: (content, mode)} of a volume that is made from objects; None for another one."""
        if "projected" in volume:
            sources, mode = volume["projected"]["sources"], volume["projected"].get("defaultMode", 0o644)
        elif "configMap" in volume or "secret" in volume:
            sources, mode = [volume], (volume.get("configMap") or volume.get("secret")).get("defaultMode", 0o644)
        else:
            return None
        found = {}
        for source in sources:
            if "configMap" in source:
                part, data = source["configMap"], self.data("configmaps", source["configMap"]["name"])
            else:
                part = source["secret"]
                data = self.data("secrets", part.get("secretName") or part["name"])
            for key, path in [(i["key"], i["path"]) for i in part["items"]] if "items" in part else [(key, key) for key in data]:
                found[path] = (data[key], mode)
        return found

    @staticmethod
    def place(folder, files):
        """As the kubelet does: a new folder with all files, then one rename of a link."""
        folder.mkdir(exist_ok=True)
        fresh = folder / f"..{os.urandom(6).hex()}"
        fresh.mkdir()
        for name, (content, mode) in files.items():
            (fresh / name).write_bytes(content)
            (fresh / name).chmod(mode)
            if not (folder / name).is_symlink():
                (folder / name).symlink_to(f"..data/{name}")
        before = (folder / "..data").resolve() if (folder / "..data").exists() else None
        (folder / "..data_tmp").symlink_to(fresh.name)
        os.replace(folder / "..data_tmp", folder / "..data")
        if before:
            shutil.rmtree(before)

    def volume(self, volume):
        """The folder of a volume."""
        files = self.files(volume)
        if files is not None:
            self.place(self.dir / volume["name"], files)
            return self.dir / volume["name"]
        if "hostPath" in volume:
            path, kind = self.host / volume["hostPath"]["path"].lstrip("/"), volume["hostPath"].get("type", "")
            if kind == "DirectoryOrCreate":
                path.mkdir(parents=True, exist_ok=True)
            elif kind == "Directory" and not path.is_dir():
                raise AssertionError(f"the kubelet would not start the container: hostPath {volume['hostPath']['path']} is no folder")
            return path
        if "emptyDir" in volume:
            (self.dir / volume["name"]).mkdir()
            return self.dir / volume["name"]
        raise AssertionError(f"a volume of an unknown kind: {volume}")

    def sync(self):
        for volume in self.spec["volumes"]:
            files = self.files(volume)
            if files is not None:
                self.place(self.dir / volume["name"], files)

    # ---- the process --------------------------------------------------------------------------------------------------

    def environment(self):
        found = {"PATH": "/usr/sbin:/usr/bin", "KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.kube.port)}
        fields = {"spec.nodeName": self.node, "status.hostIP": "127.0.0.1"}
        for one in self.container.get("env", []):
            if "value" in one:
                found[one["name"]] = one["value"]
            elif "fieldRef" in one["valueFrom"]:
                found[one["name"]] = fields[one["valueFrom"]["fieldRef"]["fieldPath"]]
            else:
                reference = one["valueFrom"]["secretKeyRef"]
                found[one["name"]] = self.data("secrets", reference["name"])[reference["key"]].decode()
        return found

    def mounts(self):
        folders = {volume["name"]: self.volume(volume) for volume in self.spec["volumes"]}
        lines = [f"{folders[m['name']]}|{m['mountPath']}|{'ro' if m.get('readOnly') else 'rw'}" for m in self.container["volumeMounts"]]
        if self.spec.get("automountServiceAccountToken", True):
            account = self.spec["serviceAccountName"]
            token = self.kube.ask("POST", f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{account}/token",
                                  {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}})["status"]["token"]
            self.place(self.dir / "account", {"token": (token.encode(), 0o600), "ca.crt": (self.kube.ca.read_bytes(), 0o644),
                                              "namespace": (self.namespace.encode(), 0o644)})
            lines.append(f"{self.dir / 'account'}|{ACCOUNT}|ro")
        return "".join(line + "\n" for line in lines)

    def command(self, program, arguments):
        security = self.container["securityContext"]
        assert security["runAsUser"] == 0 and security["readOnlyRootFilesystem"] and security["capabilities"] == {"drop": ["ALL"]}, security
        root = self.dir / "root"
        root.mkdir(exist_ok=True)
        (self.dir / "mounts").write_text(self.mounts())
        return [*namespace_prefix(), "bash", "-c", SCRIPT, "pod", str(root), os.path.realpath(program), str(self.dir / "mounts"), *arguments]

    def start(self, program):
        with open(self.dir / "stderr", "ab") as errors:
            self.process = self.case.start(*self.command(program, self.container["args"]), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors,
                                           env=self.environment())
        return self.process

    def run(self, program, *arguments):
        """Another command in the same container, to its end: exit code, standard output, standard error."""
        done = subprocess.run(self.command(program, arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=self.environment(), check=False)
        return done.returncode, done.stdout, done.stderr

    def errors(self):
        return (self.dir / "stderr").read_text(errors="replace")

    def status(self):
        """/proc/PID/status of the process."""
        return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines() if ":\t" in line)
