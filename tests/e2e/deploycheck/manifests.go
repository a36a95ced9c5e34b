package main

import (
	"fmt"
	"sort"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/intstr"
	psa "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

type objects struct {
	decoder      runtime.Decoder
	kinds        map[string]int
	names        map[string]bool
	statefulSets []*appsv1.StatefulSet
	services     []*corev1.Service
	budgets      []*policyv1.PodDisruptionBudget
	policies     []*networkingv1.NetworkPolicy
	monitors     []*monitoringv1.ServiceMonitor
	configMaps   map[string]bool
	secrets      map[string]bool
}

func newObjects() *objects {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme,
		rbacv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme,
		json.SerializerOptions{Yaml: true, Strict: true})
	return &objects{decoder: decoder, kinds: map[string]int{}, names: map[string]bool{},
		configMaps: map[string]bool{}, secrets: map[string]bool{}}
}

func (o *objects) add(doc []byte) error {
	if strings.TrimSpace(stripComments(string(doc))) == "" {
		return nil
	}
	object, kind, err := o.decoder.Decode(doc, nil, nil)
	if err != nil {
		return fmt.Errorf("%w in\n%.300s", err, doc)
	}
	meta := object.(metav1.Object)
	id := kind.Kind + "/" + meta.GetNamespace() + "/" + meta.GetName()
	if meta.GetName() == "" || o.names[id] {
		return fmt.Errorf("%s: without a name, or twice", id)
	}
	o.names[id] = true
	o.kinds[kind.Kind]++
	switch x := object.(type) {
	case *appsv1.StatefulSet:
		o.statefulSets = append(o.statefulSets, x)
	case *corev1.Service:
		o.services = append(o.services, x)
	case *policyv1.PodDisruptionBudget:
		o.budgets = append(o.budgets, x)
	case *networkingv1.NetworkPolicy:
		o.policies = append(o.policies, x)
	case *monitoringv1.ServiceMonitor:
		o.monitors = append(o.monitors, x)
	case *corev1.ConfigMap:
		o.configMaps[x.Name] = true
	case *corev1.Secret:
		o.secrets[x.Name] = true
	}
	return nil
}

func stripComments(doc string) string {
	var kept []string
	for _, line := range strings.Split(doc, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.TrimSpace(line) != "---" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func (o *objects) count() int { return len(o.names) }

func (o *objects) summary() string {
	var parts []string
	for kind, n := range o.kinds {
		parts = append(parts, fmt.Sprintf("%d %s", n, kind))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// checkPods asks Kubernetes' own policy whether a namespace with "enforce: restricted" takes the pods.
func (o *objects) checkPods() (faults []error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks())
	if err != nil {
		return []error{err}
	}
	restricted := psa.LevelVersion{Level: psa.LevelRestricted, Version: psa.LatestVersion()}
	for _, s := range o.statefulSets {
		t := &s.Spec.Template
		for _, r := range evaluator.EvaluatePod(restricted, &t.ObjectMeta, &t.Spec) {
			if !r.Allowed {
				faults = append(faults, fmt.Errorf("StatefulSet/%s: not restricted: %s: %s", s.Name, r.ForbiddenReason,
					r.ForbiddenDetail))
			}
		}
		for _, c := range t.Spec.Containers {
			faults = append(faults, checkContainer(s, &c)...)
		}
	}
	return faults
}

func checkContainer(s *appsv1.StatefulSet, c *corev1.Container) (faults []error) {
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("StatefulSet/%s: container %s: %s", s.Name, c.Name, fmt.Sprintf(format, args...)))
	}
	if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
		fault("its root is writable")
	}
	if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
		fault("no memory request or limit")
	}
	for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe,
		"readiness": c.ReadinessProbe} {
		if probe == nil || probe.HTTPGet == nil {
			fault("no %s probe by HTTP", name)
		} else if !hasPort(c, probe.HTTPGet.Port) {
			fault("%s probe asks port %s, which it has not", name, probe.HTTPGet.Port.String())
		}
	}
	have := map[string]bool{}
	for _, v := range s.Spec.Template.Spec.Volumes {
		have[v.Name] = true
	}
	for _, v := range s.Spec.VolumeClaimTemplates {
		have[v.Name] = true
	}
	for _, m := range c.VolumeMounts {
		if !have[m.Name] {
			fault("mounts %s, which is not there", m.Name)
		}
	}
	return faults
}

func hasPort(c *corev1.Container, port intstr.IntOrString) bool {
	for _, p := range c.Ports {
		if port.Type == intstr.String && p.Name == port.StrVal || port.Type == intstr.Int && p.ContainerPort == port.IntVal {
			return true
		}
	}
	return false
}

func (o *objects) checkReferences() (faults []error) {
	for _, s := range o.statefulSets {
		faults = append(faults, o.checkStatefulSet(s)...)
	}
	for _, s := range o.services {
		faults = append(faults, o.checkService(s)...)
	}
	for _, b := range o.budgets {
		if !o.selectsPods(b.Spec.Selector) {
			faults = append(faults, fmt.Errorf("PodDisruptionBudget/%s selects no pod", b.Name))
		}
	}
	for _, p := range o.policies {
		if !o.selectsPods(&p.Spec.PodSelector) {
			faults = append(faults, fmt.Errorf("NetworkPolicy/%s selects no pod", p.Name))
		}
	}
	for _, m := range o.monitors {
		faults = append(faults, o.checkMonitor(m)...)
	}
	return faults
}

func (o *objects) selectsPods(selector *metav1.LabelSelector) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	for _, set := range o.statefulSets {
		if err == nil && s.Matches(labels.Set(set.Spec.Template.Labels)) {
			return true
		}
	}
	return false
}

func (o *objects) checkStatefulSet(s *appsv1.StatefulSet) (faults []error) {
	if !o.selectsPods(s.Spec.Selector) {
		faults = append(faults, fmt.Errorf("StatefulSet/%s does not select its own pods", s.Name))
	}
	headless := false
	for _, service := range o.services {
		headless = headless || service.Name == s.Spec.ServiceName && service.Spec.ClusterIP == corev1.ClusterIPNone
	}
	if !headless {
		faults = append(faults, fmt.Errorf("StatefulSet/%s: no headless Service %q", s.Name, s.Spec.ServiceName))
	}
	for _, v := range s.Spec.Template.Spec.Volumes {
		if v.ConfigMap != nil && !o.configMaps[v.ConfigMap.Name] {
			faults = append(faults, fmt.Errorf("StatefulSet/%s: no ConfigMap %q", s.Name, v.ConfigMap.Name))
		}
	}
	return faults
}

// selectsSet also knows the label that the StatefulSet controller gives each pod.
func selectsSet(s *corev1.Service, set *appsv1.StatefulSet) bool {
	selector := labels.SelectorFromSet(s.Spec.Selector)
	for i := int32(0); i < ptrOr(set.Spec.Replicas, 1); i++ {
		pod := labels.Merge(set.Spec.Template.Labels, labels.Set{appsv1.StatefulSetPodNameLabel: fmt.Sprintf("%s-%d", set.Name, i)})
		if selector.Matches(pod) {
			return true
		}
	}
	return false
}

func ptrOr(p *int32, value int32) int32 {
	if p == nil {
		return value
	}
	return *p
}

func (o *objects) checkService(s *corev1.Service) (faults []error) {
	for _, set := range o.statefulSets {
		if !selectsSet(s, set) {
			continue
		}
		for _, p := range s.Spec.Ports {
			if !hasPort(&set.Spec.Template.Spec.Containers[0], p.TargetPort) {
				faults = append(faults, fmt.Errorf("Service/%s: no container port %s", s.Name, p.TargetPort.String()))
			}
		}
		return faults
	}
	return []error{fmt.Errorf("Service/%s selects no pod", s.Name)}
}

// checkMonitor: exactly one Service, or every pod would be scraped twice.
func (o *objects) checkMonitor(m *monitoringv1.ServiceMonitor) (faults []error) {
	selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
	if err != nil {
		return []error{err}
	}
	matched := 0
	for _, s := range o.services {
		if !selector.Matches(labels.Set(s.Labels)) {
			continue
		}
		matched++
		for _, endpoint := range m.Spec.Endpoints {
			found := false
			for _, p := range s.Spec.Ports {
				found = found || p.Name == endpoint.Port
			}
			if !found {
				faults = append(faults, fmt.Errorf("ServiceMonitor/%s: Service/%s has no port %q", m.Name, s.Name, endpoint.Port))
			}
		}
	}
	if matched != 1 {
		faults = append(faults, fmt.Errorf("ServiceMonitor/%s selects %d Services", m.Name, matched))
	}
	return faults
}
