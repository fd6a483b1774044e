package state

// Step names a moment of a store's work that a crash may come at, as Options.Step sees
// it. What lies between "before" and "after" may be on disk or not; what came before is.
type Step string

// The steps. A batch is one transaction, which is durable when it is written: an epoch
// has one of them or more, the last holds the marker. The mark is the file EPOCH.
const (
	BeforeBatch   Step = "before batch"
	AfterBatch    Step = "after batch"
	BeforeMark    Step = "before mark"
	AfterMark     Step = "after mark"
	BeforeRename  Step = "before rename" // of FORMAT, which makes a directory a state directory
	AfterRename   Step = "after rename"
	BeforeBallast Step = "before ballast" // made, or given back
	AfterBallast  Step = "after ballast"
)

// step tells of a step, if anyone wants to know.
func (o *Options) step(s Step) error {
	if o.Step == nil {
		return nil
	}
	return o.Step(s)
}

// around does f between the steps before and after.
func (o *Options) around(before, after Step, f func() error) error {
	if err := o.step(before); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return o.step(after)
}
