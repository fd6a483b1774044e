package machine

import "github.com/cepheus-cep/cepheus/lang/plan"

// Test is what an event must pass before a machine cares about it: a condition that
// needs nothing but the event. What engine/index hands on is the set of Bits whose
// tests an event passed, for each key it has.
type Test struct {
	Type  int
	Cond  []*plan.Expr // all must hold; empty: every event of the type
	Key   []*plan.Expr // the key of the event for this test
	Bit   uint64       // 0: the machine must see the event though it fits no step
	Until bool
}

// split parts the conjuncts of a condition into those that need nothing but the event
// at hand and those that look at the run.
func split(e *plan.Expr) (local, rest []*plan.Expr) {
	if e == nil {
		return nil, nil
	}
	for _, part := range e.Chain(plan.OpAnd, nil) {
		if isLocal(part) {
			local = append(local, part)
		} else {
			rest = append(rest, part)
		}
	}
	return local, rest
}

// isLocal reports whether e reads nothing but the event at hand, constants and files:
// then the index may test it, ahead of the shards. When a file changes, events that are
// in no epoch yet are routed again.
func isLocal(e *plan.Expr) bool {
	switch e.Op {
	case plan.OpStepField, plan.OpStepMeta, plan.OpTaken, plan.OpKey, plan.OpAgg, plan.OpWindow, plan.OpMatches,
		plan.OpRead: // what projections hold is not known to the index
		return false
	}
	for _, arg := range e.Args {
		if !isLocal(arg) {
			return false
		}
	}
	return true
}

// Conjunction is the reverse of split: nil for none.
func Conjunction(list []*plan.Expr) *plan.Expr {
	if len(list) == 0 {
		return nil
	}
	if len(list) == 1 {
		return list[0]
	}
	return &plan.Expr{Op: plan.OpAnd, Type: list[0].Type, Args: list}
}

// stepsRead returns the steps that e reads, as a set.
func stepsRead(e *plan.Expr) uint64 {
	if e == nil {
		return 0
	}
	var set uint64
	switch e.Op {
	case plan.OpStepField, plan.OpStepMeta, plan.OpTaken:
		set = 1 << e.Step
	}
	for _, arg := range e.Args {
		set |= stepsRead(arg)
	}
	return set
}

// reads reports whether e has a node of the operation.
func reads(e *plan.Expr, op plan.Op) bool {
	if e == nil {
		return false
	}
	if e.Op == op {
		return true
	}
	for _, arg := range e.Args {
		if reads(arg, op) {
			return true
		}
	}
	return false
}
