use std::sync::{Arc, Mutex, PoisonError};

use etude_pipeline::flow::{Block, Flow, Header, SignalType};
use etude_pipeline::operator::{
    self, Body, Context, Declare, Inputs, Invalid, Operator, Output, Port, Scope, Step, Stop,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::products::{Codebook, Lanes};
use super::{put, side_by_side};
use crate::Expect;
use crate::k_means::{self, FORMAT};

/// Names each frame after the nearest centroid: the targets of HuBERT (Hsu et al. 2021, arXiv 2106.07447).
///
/// `centroids` is a stage of `k_means` over features of the same kind. The output has one channel, the centroid's
/// number, from 0 to `clusters` − 1; of equally near ones it is the first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {}

/// Where the centroids come from.
const CENTROIDS: &str = "centroids";

impl Declare for Assign {
    const NAME: &'static str = "assign";
    const VERSION: u32 = 1;
    const SCOPE: Scope = Scope::Item;
    const PORTS: &'static [Port] = &[
        crate::SIGNAL,
        Port {
            name: CENTROIDS,
            many: false,
            optional: false,
            about: "the centroids that `k_means` has found",
        },
    ];
}

impl Operator for Assign {
    fn output(&self, inputs: &Inputs<'_>) -> Result<Flow, Invalid> {
        let signal = crate::signal(inputs)?;
        let sampling = signal.sampled()?;
        match inputs.one(CENTROIDS)? {
            Flow::Artifact(artifact) if artifact.format == FORMAT => {
                if artifact.sampling != sampling {
                    let learnt = artifact.sampling;
                    let message = format!("the centroids are of {learnt}, and the frames of {sampling}");
                    return Err(Invalid::of(CENTROIDS, message));
                }
            }
            other => {
                let message = format!("expects what `k_means` has found at `{CENTROIDS}`, not {other}");
                return Err(Invalid::of(CENTROIDS, message));
            }
        }
        Ok(Flow::Signal(SignalType { channels: Some(1), planes: 1, ..signal }))
    }

    fn body(&self) -> Body {
        // Threads share what is read.
        let shared = Arc::new(Mutex::new(None));
        Body::Map(Box::new(move |context| {
            Box::new(Work {
                context,
                shared: shared.clone(),
                codebook: None,
                rows: Vec::new(),
                header: Header::default(),
                names: Block::default(),
            })
        }))
    }
}

struct Work {
    context: Context,
    shared: Arc<Mutex<Option<Arc<Codebook>>>>,
    codebook: Option<Arc<Codebook>>,
    rows: Vec<Lanes>,
    header: Header,
    names: Block,
}

impl Work {
    fn load(&self) -> Result<Arc<Codebook>, Stop> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(codebook) = &*shared {
            return Ok(codebook.clone());
        }
        let transient = |message: String| Stop::Transient { message };
        let side = self.context.side(CENTROIDS).first();
        let side = side.ok_or_else(|| transient(format!("there is no input at `{CENTROIDS}`")))?;
        let centroids =
            side.folder().and_then(k_means::read).map_err(|error| transient(error.to_string()))?;
        Ok(shared.insert(Arc::new(Codebook::new(&centroids.values, centroids.width))).clone())
    }
}

impl operator::Map for Work {
    fn begin(&mut self, header: &Header, output: &mut dyn Output) -> Step {
        if self.codebook.is_none() {
            self.codebook = Some(self.load()?);
        }
        let width = self.codebook.as_ref().map_or(0, |codebook| codebook.width());
        if width != usize::from(header.channels) {
            let message = format!("frames have {} values, and the centroids {width}", header.channels);
            return Err(Stop::Rejected { class: "channels", offset: String::new(), message });
        }
        self.header.clone_from(header);
        (self.header.channels, self.header.planes) = (1, 1);
        output.begin(&self.header)
    }

    fn block(&mut self, block: &mut Block, output: &mut dyn Output) -> Step {
        let Some(codebook) = &self.codebook else { return Ok(()) };
        let names = &mut self.names;
        names.resize(1, block.frames());
        side_by_side(block, &mut self.rows, |from, frames| {
            put(&codebook.nearest(frames), &mut names.channel_mut(0)[from..]);
        });
        output.block(&mut self.names)
    }

    fn end(&mut self, output: &mut dyn Output) -> Step {
        output.end()
    }
}
