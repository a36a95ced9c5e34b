package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// cluster is a kube-apiserver that a test started, on loopback and with a certificate of its own.
type cluster struct {
	server, token, namespace string
	client                   *http.Client
	resources                map[schema.GroupVersionKind]metav1.APIResource
}

// applyManifests applies all of stdin on the server's side, so many times: after the first nothing may change.  Then every
// StatefulSet's pod goes through admission in a namespace that enforces "restricted".
func applyManifests(in io.Reader, rounds int) error {
	c := &cluster{server: os.Getenv("KUBE_SERVER"), token: os.Getenv("KUBE_TOKEN"), namespace: os.Getenv("KUBE_NAMESPACE"),
		client:    &http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}},
		resources: map[schema.GroupVersionKind]metav1.APIResource{}}
	objects, err := readObjects(in)
	if err != nil {
		return err
	}
	made, changed := 0, 0
	for round := 0; round < rounds; round++ {
		for _, o := range objects {
			before, after, err := c.apply(o)
			if err != nil {
				return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
			}
			if before == "" {
				made++
			} else if before != after {
				changed++
			}
			if round == 1 && before != after {
				return fmt.Errorf("%s %s: applied again it changed from %s to %s", o.GetKind(), o.GetName(), before, after)
			}
		}
	}
	pods := 0
	for _, o := range objects {
		if o.GetKind() != "StatefulSet" {
			continue
		}
		if err := c.admitPod(o); err != nil {
			return fmt.Errorf("pod of %s: %w", o.GetName(), err)
		}
		pods++
	}
	fmt.Printf("%d objects, %d made, %d changed, none when applied again, %d pods admitted as restricted\n", len(objects), made, changed, pods)
	return nil
}

func readObjects(in io.Reader) ([]*unstructured.Unstructured, error) {
	docs := utilyaml.NewYAMLReader(bufio.NewReader(in))
	var all []*unstructured.Unstructured
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := utilyaml.ToJSON(doc)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
			continue
		}
		o := &unstructured.Unstructured{}
		if err := o.UnmarshalJSON(text); err != nil {
			return nil, err
		}
		all = append(all, o)
	}
}

// apply sends one object as `kubectl apply --server-side --validate=strict` does; its resource versions before and after.
func (c *cluster) apply(o *unstructured.Unstructured) (before, after string, err error) {
	path, err := c.path(o)
	if err != nil {
		return "", "", err
	}
	var was unstructured.Unstructured
	err = c.call("GET", path+"/"+o.GetName(), "", nil, &was)
	if err != nil && !apierrors.IsNotFound(err) {
		return "", "", err
	}
	body, err := o.MarshalJSON()
	if err != nil {
		return "", "", err
	}
	var is unstructured.Unstructured
	query := "?" + url.Values{"fieldManager": {"deploycheck"}, "fieldValidation": {"Strict"}}.Encode()
	err = c.call("PATCH", path+"/"+o.GetName()+query, "application/apply-patch+yaml", body, &is)
	return was.GetResourceVersion(), is.GetResourceVersion(), err
}

func (c *cluster) path(o *unstructured.Unstructured) (string, error) {
	kind := o.GroupVersionKind()
	root := "/apis/" + kind.GroupVersion().String()
	if kind.Group == "" {
		root = "/api/" + kind.Version
	}
	if _, known := c.resources[kind]; !known {
		var list metav1.APIResourceList
		if err := c.call("GET", root, "", nil, &list); err != nil {
			return "", err
		}
		for _, r := range list.APIResources {
			if !bytes.ContainsRune([]byte(r.Name), '/') {
				c.resources[kind.GroupVersion().WithKind(r.Kind)] = r
			}
		}
	}
	r, known := c.resources[kind]
	if !known {
		return "", fmt.Errorf("the server knows no kind %s", kind)
	}
	if !r.Namespaced {
		return root + "/" + r.Name, nil
	}
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = c.namespace
	}
	return root + "/namespaces/" + namespace + "/" + r.Name, nil
}

// admitPod asks for the pod that the controller would make; nothing is kept.
func (c *cluster) admitPod(o *unstructured.Unstructured) error {
	var set appsv1.StatefulSet
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &set); err != nil {
		return err
	}
	pod := corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: set.Name + "-0", Labels: set.Spec.Template.Labels}, Spec: set.Spec.Template.Spec}
	for _, claim := range set.Spec.VolumeClaimTemplates {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name + "-" + pod.Name}}})
	}
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = c.namespace
	}
	body, err := json.Marshal(&pod)
	if err != nil {
		return err
	}
	return c.call("POST", "/api/v1/namespaces/"+namespace+"/pods?dryRun=All&fieldValidation=Strict", "application/json", body, &unstructured.Unstructured{})
}

func (c *cluster) call(method, path, contentType string, body []byte, out any) error {
	request, err := http.NewRequest(method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		var status metav1.Status
		if json.Unmarshal(text, &status) != nil || status.Message == "" {
			return fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, text)
		}
		return &apierrors.StatusError{ErrStatus: status}
	}
	if warning := response.Header.Values("Warning"); len(warning) > 0 {
		return fmt.Errorf("the server warns: %s", warning)
	}
	return json.Unmarshal(text, out)
}
