// gosort.go writes gosort.txt: how Go's sort, heap and natural order treat inputs with many equal elements.
//
//	go run gosort.go > gosort.txt
//
// Lines "sort LENGTH KINDS PATTERN CHECKSUM", "heap ..." as test_gosort.c makes them again; the checksum
// is FNV-1a over the original positions of the elements in their final order.
package main

import (
	"container/heap"
	"fmt"
	"sort"
)

type pair struct{ key, position int }
type list []pair

func (l list) Len() int           { return len(l) }
func (l list) Less(i, j int) bool { return l[i].key < l[j].key }
func (l list) Swap(i, j int)      { l[i], l[j] = l[j], l[i] }
func (l *list) Push(x any)        { *l = append(*l, x.(pair)) }
func (l *list) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}

func key(i, length, kinds, pattern int) int {
	switch pattern {
	case 0: // scattered
		return int(uint32(i)*2654435761>>7) % kinds
	case 1: // ascending
		return i * kinds / length
	case 2: // descending
		return (length - i) * kinds / length
	case 3: // sawtooth
		return i % kinds
	case 4: // organ pipe
		return min(i, length-i)
	default: // sorted with a few out of place
		if i%17 == 3 {
			return int(uint32(i)*2654435761>>7) % kinds
		}
		return i * kinds / length
	}
}

func checksum(l []pair) uint32 {
	sum := uint32(2166136261)
	for _, p := range l {
		for n := 0; n < 4; n++ {
			sum = (sum ^ uint32(p.position)>>(8*n)&0xff) * 16777619
		}
	}
	return sum
}

func main() {
	for _, length := range []int{1, 2, 7, 8, 12, 13, 20, 49, 50, 51, 100, 333, 1000, 5000} {
		for _, kinds := range []int{1, 3, 10, 1000000} {
			for pattern := 0; pattern < 6; pattern++ {
				l := make(list, length)
				for i := range l {
					l[i] = pair{key(i, length, kinds, pattern), i}
				}
				h := append(list{}, l...)
				sort.Sort(l)
				fmt.Printf("sort %d %d %d %08x\n", length, kinds, pattern, checksum(l))
				if length > 400 {
					continue
				}
				pushed := list{}
				for _, p := range h {
					heap.Push(&pushed, p)
				}
				heap.Init(&h)
				h[0].key += kinds / 2
				heap.Fix(&h, 0)
				h[length/2].key -= kinds / 2
				heap.Fix(&h, length/2)
				fmt.Printf("heap %d %d %d %08x %08x\n", length, kinds, pattern, checksum(h), checksum(pushed))
			}
		}
	}
}
