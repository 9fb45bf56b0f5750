// Package kubernetes tests the image and the manifests: what Kubernetes would say of
// them, and what the real Fluent Bit does in such a container.
package kubernetes

import (
	"bytes"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"fluent-bit-mimecast/internal/harness"
)

const manifests = repository + "/build/kubernetes"

// kustomize renders a folder of the manifests.
func kustomize(t *testing.T, folder string) []byte {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(manifests, folder))
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// helm renders the official chart with values.yaml.
func helm(t *testing.T) []byte {
	t.Helper()
	chart := os.Getenv("FLUENT_BIT_CHART")
	if chart == "" {
		t.Skip("*** NO CHART in FLUENT_BIT_CHART: values.yaml WAS NOT RENDERED ***")
	}
	if testing.Short() {
		t.Skip("helm takes minutes to build")
	}
	cmd := exec.Command("go", "run", "helm.sh/helm/v3/cmd/helm@v3.22.0",
		"template", "fluent-bit", chart, "--namespace", "mimecast", "--values", manifests+"/values.yaml",
		"--api-versions", "monitoring.coreos.com/v1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("helm: %v\n%s", err, stderr.String())
	}
	return text
}

// decode reads all objects of a file. A field that their types lack, or that comes
// twice, is a failure.
func decode(t *testing.T, text []byte) (objects []runtime.Object) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	for document := range strings.SplitSeq("\n"+string(text), "\n---\n") {
		if strings.TrimSpace(document) == "" {
			continue
		}
		object, _, err := decoder.Decode([]byte(document), nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		objects = append(objects, object)
	}
	return objects
}

// one returns the only object of a type.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) (found T) {
	t.Helper()
	n := 0
	for _, object := range objects {
		if o, ok := object.(T); ok {
			found, n = o, n+1
		}
	}
	if n != 1 {
		t.Fatalf("%d objects of %T", n, found)
	}
	return found
}

// fluentBit returns the container of Fluent Bit.
func fluentBit(t *testing.T, spec corev1.PodSpec) corev1.Container {
	t.Helper()
	for _, c := range append(spec.InitContainers, spec.Containers...) {
		if c.Name == "fluent-bit" {
			return c
		}
	}
	t.Fatal("no container fluent-bit")
	return corev1.Container{}
}

// configuration returns the text of Fluent Bit's configuration, and its name.
func configuration(t *testing.T, objects []runtime.Object) (name, text string) {
	t.Helper()
	for _, object := range objects {
		m, ok := object.(*corev1.ConfigMap)
		if !ok {
			continue
		}
		for name, text := range m.Data {
			if _, after, found := strings.Cut(text, "service:\n"); found && strings.Contains(after, "name: mimecast") {
				return name, "service:\n" + after // what is said before it may differ
			}
		}
	}
	t.Fatal("no configuration")
	return "", ""
}

// variants are all that a user can apply.
var variants = map[string]func(*testing.T) []byte{
	"base":    func(t *testing.T) []byte { t.Helper(); return kustomize(t, "base") },
	"sidecar": func(t *testing.T) []byte { t.Helper(); return kustomize(t, "sidecar") },
	"carrier": func(t *testing.T) []byte { t.Helper(); return kustomize(t, "carrier") },
	"helm":    helm,
}

// TestDeployment holds each variant to what keeps records whole and the cluster safe.
func TestDeployment(t *testing.T) {
	t.Parallel()
	for name, render := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			objects := decode(t, render(t))
			d := one[*appsv1.Deployment](t, objects)
			if d.Spec.Replicas == nil || *d.Spec.Replicas != 1 {
				t.Error("not one replica: each collects all logs")
			}
			if d.Spec.Strategy.Type != appsv1.RecreateDeploymentStrategyType {
				t.Errorf("strategy %s: a new Pod would wait for the db of the old one", d.Spec.Strategy.Type)
			}
			pod := d.Spec.Template
			evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
			if err != nil {
				t.Fatal(err)
			}
			restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
			if r := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.ObjectMeta, &pod.Spec)); !r.Allowed {
				t.Errorf("Pod security: %s", r.ForbiddenDetail())
			}
			if a := pod.Spec.AutomountServiceAccountToken; name != "helm" && (a == nil || *a) {
				t.Error("the Pod has a token of the cluster")
			}
			c := fluentBit(t, pod.Spec)
			if r := c.SecurityContext.ReadOnlyRootFilesystem; r == nil || !*r {
				t.Error("the root file system can be written")
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("resources %+v", c.Resources)
			}
			if c.LivenessProbe == nil || c.LivenessProbe.HTTPGet == nil {
				t.Error("the liveness probe is more than that Fluent Bit runs: a pause would restart it again and again")
			}
			if ready := c.ReadinessProbe; name == "sidecar" {
				if ready != nil || c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways {
					t.Error("the sidecar is none, or takes the Pod out of its Services")
				}
			} else if ready == nil || ready.Exec == nil || ready.HTTPGet != nil {
				t.Errorf("readiness probe %+v", ready)
			}
			for _, m := range c.VolumeMounts {
				if m.Name == "secret" && m.SubPath != "" {
					t.Error("a changed secret would not be seen")
				}
			}
			netpol := decode(t, kustomize(t, "base"))
			for k, v := range one[*networkingv1.NetworkPolicy](t, netpol).Spec.PodSelector.MatchLabels {
				if pod.Labels[k] != v {
					t.Errorf("the network policy does not select the Pod: it has no label %s: %s", k, v)
				}
			}
		})
	}
}

// TestConfiguration has the real Fluent Bit and mimecastctl read each configuration.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	ctl := filepath.Join(t.TempDir(), "mimecastctl")
	run(t, exec.Command("go", "build", "-C", repository, "-o", ctl, "./cmd/mimecastctl"))
	_, base := configuration(t, decode(t, kustomize(t, "base")))
	for name, render := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, text := configuration(t, decode(t, render(t)))
			if strings.TrimSpace(text) != strings.TrimSpace(base) { // the chart adds a line end
				t.Errorf("not the configuration of base:\n%s", text)
			}
			dir := t.TempDir()
			// The folders of the container are this one's.
			text = strings.NewReplacer("/etc/mimecast/", dir+"/", "/var/lib/fluent-bit/", dir+"/").Replace(text)
			for file, content := range map[string]string{"fluent-bit.yaml": text, "client_id": "id\n", "client_secret": "secret\n"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			config := filepath.Join(dir, "fluent-bit.yaml")
			if out := run(t, exec.Command(ctl, "check", "-c", config, "--offline")); !strings.Contains(out, " 0 warning, 0 failed,") {
				t.Errorf("mimecastctl:\n%s", out)
			}
			host := harness.FindFluentBit()
			if host == "" {
				t.Skip("*** NO FLUENT BIT on PATH nor in FLUENT_BIT: the configuration WAS NOT TRIED ***")
			}
			plugin := filepath.Join(repository, "build/mimecast.so")
			if _, err := os.Stat(plugin); err != nil {
				t.Fatalf("%v: make build", err)
			}
			// There is no such path on this machine.
			text = strings.ReplaceAll(text, "/fluent-bit/plugins/mimecast.so", absolute(t, plugin))
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out := run(t, exec.Command(host, "--dry-run", "-c", config)); !strings.Contains(out, "configuration test is successful") {
				t.Errorf("--dry-run:\n%s", out)
			}
		})
	}
}

// TestNetworkPolicy asks what the policy lets through.
func TestNetworkPolicy(t *testing.T) {
	t.Parallel()
	policy := one[*networkingv1.NetworkPolicy](t, decode(t, kustomize(t, "base")))
	for _, c := range []struct {
		to   string
		port int32
		ok   bool
	}{
		{"203.0.114.7", 443, true}, // a public one
		{"2606:4700::1", 443, true},
		{"203.0.114.7", 80, false},
		{"169.254.169.254", 443, false}, // the cloud's keys
		{"fd00:ec2::254", 443, false},
		{"fe80::1", 443, false},
		{"10.96.0.1", 443, false}, // the cluster's API
		{"172.16.0.1", 443, false},
		{"192.168.1.1", 443, false},
		{"100.100.100.200", 443, false},
		{"127.0.0.1", 443, false},
	} {
		if got := allows(policy, netip.MustParseAddr(c.to), c.port); got != c.ok {
			t.Errorf("%s, port %d: %t", c.to, c.port, got)
		}
	}
}

// TestDNS looks for the cluster's DNS among what the policy lets through.
func TestDNS(t *testing.T) {
	t.Parallel()
	policy := one[*networkingv1.NetworkPolicy](t, decode(t, kustomize(t, "base")))
	allowed := map[corev1.Protocol]bool{}
	for _, rule := range policy.Spec.Egress {
		for _, to := range rule.To {
			if to.PodSelector == nil || to.PodSelector.MatchLabels["k8s-app"] != "kube-dns" {
				continue
			}
			for _, p := range rule.Ports {
				allowed[*p.Protocol] = p.Port.IntVal == 53
			}
		}
	}
	if !allowed[corev1.ProtocolUDP] || !allowed[corev1.ProtocolTCP] {
		t.Errorf("DNS is let through by %v", allowed)
	}
}

// allows reports whether a Pod may connect to an address.
func allows(policy *networkingv1.NetworkPolicy, to netip.Addr, port int32) bool {
	within := func(cidr string) bool { return netip.MustParsePrefix(cidr).Contains(to) }
	for _, rule := range policy.Spec.Egress {
		for _, p := range rule.Ports {
			if p.Port.IntVal != port {
				continue
			}
			for _, peer := range rule.To {
				if peer.IPBlock == nil || !within(peer.IPBlock.CIDR) {
					continue
				}
				excepted := false
				for _, cidr := range peer.IPBlock.Except {
					excepted = excepted || within(cidr)
				}
				if !excepted {
					return true
				}
			}
		}
	}
	return false
}

// TestSelectors holds what goes by labels and names to what has them.
func TestSelectors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"base", "sidecar", "carrier"} {
		objects := decode(t, kustomize(t, name))
		d := one[*appsv1.Deployment](t, objects)
		monitor := one[*monitoringv1.PodMonitor](t, objects)
		for k, v := range monitor.Spec.Selector.MatchLabels {
			if d.Spec.Template.Labels[k] != v {
				t.Errorf("%s: the monitor does not select the Pod: %s: %s", name, k, v)
			}
		}
		c := fluentBit(t, d.Spec.Template.Spec)
		if got := *monitor.Spec.PodMetricsEndpoints[0].Port; c.Ports[0].Name != got {
			t.Errorf("%s: the monitor asks port %s, the Pod has %s", name, got, c.Ports[0].Name)
		}
		claim := one[*corev1.PersistentVolumeClaim](t, objects)
		for _, v := range d.Spec.Template.Spec.Volumes {
			if v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName != claim.Name {
				t.Errorf("%s: there is no claim %s", name, v.PersistentVolumeClaim.ClaimName)
			}
		}
	}
}

// TestValuesMatchBase holds what the values repeat to where it is written first.
func TestValuesMatchBase(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(manifests + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Env       []corev1.EnvVar
		Resources corev1.ResourceRequirements
		Config    struct{ ExtraFiles map[string]string }
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	objects := decode(t, kustomize(t, "base"))
	c := fluentBit(t, one[*appsv1.Deployment](t, objects).Spec.Template.Spec)
	if len(values.Env) != 1 || values.Env[0] != c.Env[0] {
		t.Errorf("environment %v, not %v", values.Env, c.Env)
	}
	if !values.Resources.Limits.Memory().Equal(*c.Resources.Limits.Memory()) {
		t.Errorf("resources %v, not %v", values.Resources, c.Resources)
	}
	if _, base := configuration(t, objects); values.Config.ExtraFiles["mimecast.yaml"] != base {
		t.Error("not the configuration of base")
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
