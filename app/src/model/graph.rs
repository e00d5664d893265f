//! An architecture as a list of layers in execution order, and its sites.
//!
//! The graph holds no numbers: parameters live in [`super::Network`], values of a batch in [`super::Tape`].

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
        Self { graph: Graph { input, nodes: Vec::new(), sites: Vec::new() }, parameters: 0 }
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
            self.graph.sites.push(Site { node, activation: None, following: Vec::new(), region: Vec::new() });
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

    /// Finds what follows each site and ends the building.
    ///
    /// # Errors
    /// When there is no site, or the last node is not one: the logits must be a parametric layer's output.
    pub fn finish(mut self) -> Result<Graph> {
        match self.graph.nodes.last() {
            None => bail!("a model needs at least one layer"),
            Some(node) if node.site.is_none() => {
                bail!("the last layer `{}` has no parameters; the logits must be the output of one that has", node.name)
            }
            Some(_) => {}
        }
        for index in 0..self.graph.sites.len() {
            let node = self.graph.sites[index].node;
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
            if reads {
                region.push(later);
                match self.nodes[later].site {
                    Some(site) => sites.push(site),
                    None => reached[later] = true,
                }
            }
        }
        (sites, region)
    }
}
