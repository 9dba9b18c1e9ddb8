"""Document 000, steps 1 to 4: imports, the model, how it is trained and tested, and the function that is tuned."""

import torch
import torch.nn.functional as F
from torch import nn, optim
from trialwright.air import session

from images import PIXELS, get_data_loaders

EPOCH_SIZE = 512
TEST_SIZE = 256


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 3, kernel_size=3)
        self.features = 3 * ((PIXELS - 2) // 3) ** 2
        self.fc = nn.Linear(self.features, 10)

    def forward(self, x):
        x = F.relu(F.max_pool2d(self.conv1(x), 3))
        x = x.view(-1, self.features)
        return F.log_softmax(self.fc(x), dim=1)


def train(model, optimizer, train_loader):
    model.train()
    seen = 0
    for data, target in train_loader:
        if seen >= EPOCH_SIZE:
            return
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        seen += len(data)


def test(model, data_loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for data, target in data_loader:
            if total >= TEST_SIZE:
                break
            predicted = model(data).argmax(dim=1)
            total += len(target)
            correct += (predicted == target).sum().item()
    return correct / total


def train_digits(config):
    train_loader, test_loader = get_data_loaders()
    model = ConvNet()
    optimizer = optim.SGD(model.parameters(), lr=config["lr"], momentum=config["momentum"])
    for i in range(10):
        train(model, optimizer, train_loader)
        acc = test(model, test_loader)
        session.report({"mean_accuracy": acc})
        if i % 5 == 0:
            torch.save(model, "./model.pth")  # a file in the trial's directory
