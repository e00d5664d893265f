//! An architecture as a list of layers in execution order, and its sites.
//!
//! The graph holds no numbers: parameters live in [`super::Network`], values of a batch in [`super::Tape`].
//!
//! A model has one output that is scored, its logits, or more: heads of local losses. Where borders that let no signal pass
//! ([`Layer::stops`]) lie between them, what is trained falls into parts that know nothing of each other: the sites that reach
//! the same outputs, in one way or another.

use super::copies::{self, Cells, Copies};
use super::layer::{Extent, Layer, LayerKind};
use candle_core::{Result, bail};

/// Where a node takes an input from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The batch itself.
    Data,
    /// The output of an earlier node.
    Node(usize),
}

/// One layer in its place.
#[derive(Debug)]
pub struct Node {
    /// Name, which the parameters' names begin with: `fc1`, `block0.token.fc1`.
    pub name: String,
    /// The layer.
    pub layer: Box<dyn Layer>,
    /// Its inputs.
    pub inputs: Vec<Source>,
    /// Extent of its output.
    pub extent: Extent,
    /// The site it is, when it has parameters.
    pub site: Option<usize>,
    /// Index of its first parameter in the list of the whole model.
    pub first_parameter: usize,
    /// Number of its parameters.
    pub parameters: usize,
}

/// A site: the output of a parametric layer.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its node.
    pub node: usize,
    /// The node of the activation that follows directly, if one does: M_l and X_l live there.
    pub activation: Option<usize>,
    /// The sites reached from here without passing through another site, ascending.
    pub following: Vec<usize>,
    /// The nodes a signal passes on its way back from the following sites, those sites' own nodes included, ascending.
    pub region: Vec<usize>,
    /// Which of the model's outputs it is, if it is one.
    pub output: Option<usize>,
    /// The part of the model it belongs to.
    pub part: usize,
    /// Its place among the sites of that part.
    pub place: usize,
    /// Its cells, where the loss that trains it has copies.
    pub cells: Option<Cells>,
}

/// An architecture.
#[derive(Debug)]
pub struct Graph {
    /// Extent of one example of the data.
    pub input: Extent,
    /// Layers in execution order; the last one's output is the model's.
    pub nodes: Vec<Node>,
    /// Sites in execution order.
    pub sites: Vec<Site>,
    /// The nodes whose values are scored, ascending: heads of local losses, then the logits.
    pub outputs: Vec<usize>,
    /// The copies that the loss at each output has.
    pub copies: Vec<Option<Copies>>,
    /// The sites of each part, ascending; all in one where there is one output.
    pub parts: Vec<Vec<usize>>,
}

/// Builds a [`Graph`] node by node.
#[derive(Debug)]
pub struct GraphBuilder {
    graph: Graph,
    parameters: usize,
}

impl GraphBuilder {
    /// Starts with the extent of one example.
    pub fn new(input: Extent) -> Self {
        let (nodes, sites, outputs, copies, parts) = Default::default();
        Self { graph: Graph { input, nodes, sites, outputs, copies, parts }, parameters: 0 }
    }

    /// Extent at `source`.
    pub fn extent(&self, source: Source) -> Extent {
        match source {
            Source::Data => self.graph.input,
            Source::Node(node) => self.graph.nodes[node].extent,
        }
    }

    /// Adds a layer and returns where its output is.
    ///
    /// # Errors
    /// When the layer refuses the extents of its inputs; the message begins with the node's name.
    pub fn add(&mut self, name: impl Into<String>, layer: impl Layer + 'static, inputs: &[Source]) -> Result<Source> {
        let name = name.into();
        let extents: Vec<Extent> = inputs.iter().map(|&source| self.extent(source)).collect();
        let extent = match layer.output(&extents) {
            Ok(extent) => extent,
            Err(error) => bail!("layer `{name}`: {error}"),
        };
        let node = self.graph.nodes.len();
        let parameters = layer.parameters().len();
        let site = (parameters > 0).then_some(self.graph.sites.len());
        if site.is_some() {
            let (activation, following, region, output, cells) = Default::default();
            self.graph.sites.push(Site { node, activation, following, region, output, part: 0, place: 0, cells });
        }
        self.graph.nodes.push(Node {
            name,
            layer: Box::new(layer),
            inputs: inputs.to_vec(),
            extent,
            site,
            first_parameter: self.parameters,
            parameters,
        });
        self.parameters += parameters;
        Ok(Source::Node(node))
    }

    /// The value at `source` is scored, beside the logits; with `copies` the loss has some, of `patches` × `groups` of the value at
    /// a node.
    pub fn score(&mut self, source: Source, copies: Option<(Source, usize, usize)>) {
        if let Source::Node(node) = source {
            self.graph.outputs.push(node);
            self.graph.copies.push(match copies {
                Some((Source::Node(node), patches, groups)) => Some(Copies { node, patches, groups }),
                _ => None,
            });
        }
    }

    /// Finds what follows each site and ends the building.
    ///
    /// # Errors
    /// When there is no site, or the last node is not one: the logits must be a parametric layer's output. When a site reaches no
    /// output.
    pub fn finish(mut self) -> Result<Graph> {
        match self.graph.nodes.last() {
            None => bail!("a model needs at least one layer"),
            Some(node) if node.site.is_none() => {
                bail!("the last layer `{}` has no parameters; the logits must be the output of one that has", node.name)
            }
            Some(_) => {}
        }
        self.graph.outputs.push(self.graph.nodes.len() - 1);
        self.graph.copies.push(None);
        for index in 0..self.graph.sites.len() {
            let node = self.graph.sites[index].node;
            self.graph.sites[index].output = self.graph.outputs.iter().position(|&output| output == node);
            let (following, region) = self.graph.following(node);
            self.graph.sites[index].following = following;
            self.graph.sites[index].region = region;
            let mut consumers = self.graph.consumers(node);
            if let (Some(only), None) = (consumers.next(), consumers.next())
                && self.graph.nodes[only].layer.kind() == LayerKind::Activation
            {
                drop(consumers);
                self.graph.sites[index].activation = Some(only);
            }
        }
        self.graph.divide()?;
        for copies in self.graph.copies.clone().into_iter().flatten() {
            for (site, cells) in copies::cells(&self.graph, copies) {
                self.graph.sites[site].cells = Some(cells);
            }
        }
        Ok(self.graph)
    }
}

impl Graph {
    /// Number of parameter tensors.
    pub fn parameter_count(&self) -> usize {
        self.nodes.last().map_or(0, |node| node.first_parameter + node.parameters)
    }

    /// Extent of the logits.
    pub fn output(&self) -> Extent {
        self.nodes.last().map_or(self.input, |node| node.extent)
    }

    /// The node of site `site`.
    pub fn site_node(&self, site: usize) -> &Node {
        &self.nodes[self.sites[site].node]
    }

    /// Nodes that read the output of `node`.
    pub fn consumers(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        (node + 1..self.nodes.len()).filter(move |&later| self.nodes[later].inputs.contains(&Source::Node(node)))
    }

    fn following(&self, node: usize) -> (Vec<usize>, Vec<usize>) {
        let mut reached = vec![false; self.nodes.len()];
        reached[node] = true;
        let (mut sites, mut region) = (Vec::new(), Vec::new());
        for later in node + 1..self.nodes.len() {
            let reads = self.nodes[later].inputs.iter().any(|source| match source {
                Source::Data => false,
                Source::Node(earlier) => reached[*earlier],
            });
            if reads && !self.nodes[later].layer.stops() {
                region.push(later);
                match self.nodes[later].site {
                    Some(site) => sites.push(site),
                    None => reached[later] = true,
                }
            }
        }
        (sites, region)
    }

    /// Divides the sites into parts that share no output.
    fn divide(&mut self) -> Result<()> {
        let mut part = vec![usize::MAX; self.sites.len()];
        for site in (0..self.sites.len()).rev() {
            let place = &self.sites[site];
            if place.output.is_none() && place.following.is_empty() {
                bail!("nothing that layer `{}` does reaches an output", self.nodes[place.node].name);
            }
            part[site] = site;
            for &next in &place.following {
                let (from, into) = (part[next], part[site]);
                part.iter_mut().filter(|part| **part == from).for_each(|part| *part = into);
            }
        }
        for site in 0..self.sites.len() {
            let known = self.parts.iter().position(|sites| part[sites[0]] == part[site]);
            let index = known.unwrap_or_else(|| {
                self.parts.push(Vec::new());
                self.parts.len() - 1
            });
            (self.sites[site].part, self.sites[site].place) = (index, self.parts[index].len());
            self.parts[index].push(site);
        }
        Ok(())
    }

    /// The part that output `output` belongs to.
    pub fn part_of(&self, output: usize) -> usize {
        self.nodes[self.outputs[output]].site.map_or(0, |site| self.sites[site].part)
    }

    /// The copies of the loss that trains a part, if it has some.
    pub fn copies_of(&self, part: usize) -> Option<Copies> {
        let outputs = (0..self.outputs.len()).filter(|&output| self.part_of(output) == part);
        outputs.filter_map(|output| self.copies[output]).next()
    }

    /// Where the tangent is read that an output's scalars come from: at the output, or at what the copies of its loss divide.
    pub fn reads(&self) -> Vec<usize> {
        let reads = self.outputs.iter().zip(&self.copies);
        reads.map(|(&output, copies)| copies.map_or(output, |copies| copies.node)).collect()
    }

    /// Sites of the largest part.
    pub fn largest_part(&self) -> usize {
        self.parts.iter().map(Vec::len).max().unwrap_or(0)
    }
}
