// deploycheck validates what users apply: Kubernetes manifests and compose files.
//
//	kustomize build DIR | deploycheck manifests
//	deploycheck compose docker-compose.yml
//	kustomize build DIR | KUBE_SERVER=https://127.0.0.1:6443 KUBE_TOKEN=... KUBE_NAMESPACE=monitoring deploycheck apply
//
// Manifests are decoded strictly into the Kubernetes and prometheus-operator types (an unknown or
// misspelt field is an error), pods are judged by Kubernetes' own pod security policy "restricted", and
// references between objects must hit: selectors, ports, volumes, claims.  apply sends them to a kube-apiserver.  Developer-only; no part of
// the server.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "manifests":
		err = checkManifests(os.Stdin)
	case len(os.Args) == 3 && os.Args[1] == "compose":
		err = checkCompose(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "apply":
		err = applyManifests(os.Stdin, 2)
	case len(os.Args) == 3 && os.Args[1] == "apply" && os.Args[2] == "once":
		err = applyManifests(os.Stdin, 1) // definitions get their status from the server
	default:
		err = errors.New("usage: deploycheck manifests <FILE | deploycheck compose FILE | deploycheck apply [once] <FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// checkManifests reports every fault it finds, not only the first.
func checkManifests(in io.Reader) error {
	docs := utilyaml.NewYAMLReader(bufio.NewReader(in))
	all := newObjects()
	var faults []error
	for {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := all.add(doc); err != nil {
			faults = append(faults, err)
		}
	}
	faults = append(faults, all.checkPods()...)
	faults = append(faults, all.checkReferences()...)
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if all.count() == 0 {
		return errors.New("no manifests")
	}
	fmt.Println(all.summary())
	return nil
}

// checkCompose loads a file as `docker compose config` does: schema, interpolation, references.
func checkCompose(path string) error {
	options, err := cli.NewProjectOptions([]string{path}, cli.WithName("check"))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			if volume.Type != "bind" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				return fmt.Errorf("service %s: %w", service.Name, err)
			}
		}
	}
	for name, config := range project.Configs {
		if _, err := os.Stat(config.File); config.File != "" && err != nil {
			return fmt.Errorf("config %s: %w", name, err)
		}
	}
	fmt.Printf("%d services, %d volumes\n", len(project.Services), len(project.Volumes))
	return nil
}
